"""The commands of the library of prompts."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from assistant.agent import Assistant
from assistant.bootstrap import build_assistant
from assistant.cli_output import DONE, FAILED, CallerError, note, print_json, print_table, print_text
from assistant.evaluation.evaluate import FOLDER
from assistant.evaluation.own import reports_folder
from assistant.evaluation.results import load_json
from assistant.prompt_gains import Gain, last_gain
from assistant.prompt_library import Kept
from assistant.prompt_reading import read_prompts
from assistant.prompted import about_tokens, tokens_added
from assistant.prompts import Prompt
from assistant.settings import Settings, SettingsError
from tools.engines.errors import EngineError

LARGEST = 2_000_000


async def list_prompts(settings: Settings, user: str, json_lines: bool) -> int:
    """Raises: HistoryError."""
    async with _assistant(settings) as assistant:
        found = await assistant.prompts.of(user)
    if json_lines:
        for prompt in found:
            print_json({**prompt.as_json(), **_place(prompt), "about_tokens": about_tokens(prompt)})
        return DONE
    head = ("command", "what for", "inputs", "adds", "version", "whose")
    print_table([head, *(_row(prompt, user) for prompt in found)])
    return DONE


def _row(prompt: Prompt, user: str) -> tuple[str, ...]:
    inputs = " ".join(one.name for one in prompt.inputs)
    whose = "yours" if prompt.owner == user else prompt.owner or "ships"
    shared = ", shared" if prompt.shared and prompt.owner == user else ""
    profile = ", profile" if prompt.profile else ""
    what = prompt.description or prompt.title
    tokens = f"about {about_tokens(prompt)} tokens"
    return f"/{prompt.name}", what, inputs, tokens, str(prompt.version or ""), f"{whose}{shared}{profile}"


async def show(settings: Settings, name: str, version: int | None, user: str, json_lines: bool) -> int:
    """Raises: BadInput, HistoryError."""
    async with _assistant(settings) as assistant:
        prompt = await assistant.prompts.find(name, user, version)
        versions = await assistant.prompts.versions(name, user)
        model, tokens = await _counted(assistant, prompt)
    gain = last_gain(prompt.name, _reports(settings, user))
    if json_lines:
        more = {"model": model, "tokens": tokens, "gain": gain and gain.as_json()}
        made = [{"version": one.prompt.version, "created": one.created} for one in versions]
        print_json({**prompt.as_json(), **_place(prompt), **more, "versions": made})
        return DONE
    _show(prompt, versions, gain)
    exact = f"{tokens} tokens ({model})" if tokens is not None else f"about {about_tokens(prompt)} tokens"
    print_text(f"adds       {exact}\n")
    print_text(f"bought     {gain.in_words(prompt.version) if gain else NOT_EVALUATED.format(name=prompt.name)}\n")
    return DONE


NOT_EVALUATED = 'not known yet: `assistant evaluate DATA -c MODEL -c "MODEL prompt=/{name}"` tells'


async def _counted(assistant: Assistant, prompt: Prompt) -> tuple[str, int | None]:
    """(the model whose tokens they are, how many); None where that model cannot run, which is said."""
    try:
        text = assistant.engines.text()
        return text.card.id, await tokens_added(prompt, text)
    except (EngineError, SettingsError) as error:
        note(str(error))
        return assistant.settings.chat.model, None


def _show(prompt: Prompt, versions: Sequence[Kept], gain: Gain | None) -> None:
    dated = [
        f"{one.prompt.version} ({datetime.fromtimestamp(one.created):%Y-%m-%d %H:%M})"
        for one in versions
        if one.created
    ]
    rows: dict[str, Any] = {
        "command": f"/{prompt.name}",
        "title": prompt.title,
        "what for": prompt.description,
        "inputs": ", ".join(
            f"{one.name} ({one.type}{'' if one.default is None else f', else {one.default}'})" for one in prompt.inputs
        ),
        "profile": "yes" if prompt.profile else "",
        "tool": prompt.tool or "",
        "versions": ", ".join(dated),
        "system": prompt.system or "",
        "message": prompt.message,
        "examples": "\n".join(f"{q} → {a}" for q, a in prompt.examples),
    }
    for name, text in rows.items():
        if text:
            indented = str(text).replace("\n", "\n" + " " * 11)
            print_text(f"{name:<11}{indented}\n")


async def add(settings: Settings, file: Path, shared: bool | None, user: str, json_lines: bool) -> int:
    """All of the file, or nothing where one of them is wrong. Raises: BadInput, CallerError, HistoryError."""
    text, name = _read(file)
    prompts = read_prompts(text, name)
    async with _assistant(settings) as assistant:
        kept = await assistant.prompts.save_all(prompts, user, shared)
    _tell(kept, json_lines)
    return DONE


async def restore(settings: Settings, name: str, version: int, user: str, json_lines: bool) -> int:
    """Raises: BadInput, HistoryError."""
    async with _assistant(settings) as assistant:
        kept = await assistant.prompts.save(await assistant.prompts.find(name, user, version), user)
    _tell([kept], json_lines)
    return DONE


async def remove(settings: Settings, name: str, user: str, json_lines: bool) -> int:
    """Raises: BadInput, HistoryError."""
    async with _assistant(settings) as assistant:
        gone = await assistant.prompts.remove(name, user)
    if json_lines:
        print_json({"removed": name, "versions": gone})
    else:
        print_text(f"/{name} is removed, with {gone} version{'s' if gone > 1 else ''}.\n")
    return DONE


async def export(settings: Settings, names: Sequence[str], output: Path | None, user: str) -> int:
    """Raises: BadInput, HistoryError, OSError."""
    async with _assistant(settings) as assistant:
        if names:
            found = [await assistant.prompts.find(name, user) for name in names]
        else:
            found = [prompt for prompt in await assistant.prompts.of(user) if prompt.owner == user]
    if not found:
        note("No prompt is kept yet. `assistant prompts add FILE` keeps one.")
        return FAILED
    text = json.dumps({"prompt": [prompt.as_json() for prompt in found]}, ensure_ascii=False, indent=1) + "\n"
    if output is None:
        print_text(text)
    else:
        output.write_text(text, "utf-8")
        note(f"{len(found)} prompts are in {output}.")
    return DONE


def _read(file: Path) -> tuple[str, str]:
    """(text, name). Raises: CallerError."""
    try:
        data = sys.stdin.buffer.read(LARGEST + 1) if str(file) == "-" else file.read_bytes()[: LARGEST + 1]
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CallerError(f"{file} cannot be read: {error}. Name a TOML or JSON file of prompts.") from error
    if len(data) > LARGEST:
        raise CallerError(f"{file} is larger than {LARGEST // 1_000_000} MB. Name a file of prompts.")
    if str(file) == "-":
        return text, "stdin.json" if text.lstrip().startswith(("{", "[{")) else "stdin.toml"
    return text, file.name


def _tell(kept: Sequence[Prompt], json_lines: bool) -> None:
    for prompt in kept:
        if json_lines:
            print_json({**prompt.as_json(), **_place(prompt)})
        else:
            print_text(f"/{prompt.name} is kept as version {prompt.version}{', shared' if prompt.shared else ''}.\n")


def _place(prompt: Prompt) -> dict[str, Any]:
    return {"owner": prompt.owner or None, "version": prompt.version or None, "shared": prompt.shared}


def _reports(settings: Settings, user: str) -> list[dict[str, Any]]:
    """Of the command line and of this person's page, the newest first; what cannot be read is left out."""
    found = []
    folders = (settings.home / FOLDER, reports_folder(settings.home, user))
    for path in (path for folder in folders for path in folder.glob("*/report.json")):
        try:
            found.append(load_json(path))
        except SettingsError as error:
            note(str(error))
    return sorted(found, key=lambda report: str(report["created"]), reverse=True)


@asynccontextmanager
async def _assistant(settings: Settings) -> AsyncIterator[Assistant]:
    assistant = build_assistant(settings)
    try:
        yield assistant
    finally:
        await assistant.close()
