"""What is compared: a model, or the same model with another system prompt, examples, retrieval or temperature.

A candidate is read from a file (TOML or JSON), from a dict or from one argument of the command line. How it answers is in `answers.py`.
"""

from __future__ import annotations

import json
import shlex
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from assistant.settings import SettingsError
from tools.engines.base import Task
from tools.engines.catalogue import find_provider
from tools.engines.errors import ModelNotFound

MOST_EXAMPLES = 50
HOTTEST = 2.0
LONGEST_SYSTEM = 20_000
EXAMPLE = 'openai:gpt-5-mini temperature=0 system="Be brief."'


class CandidateError(SettingsError):
    """One line that says which candidate cannot be used, why, and the remedy."""


@dataclass(frozen=True)
class Candidate:
    """`model` is `provider:model`. None stands for what the assistant itself would take: its system prompt, temperature, length.

    `message` is how the question is worded, with `{{text}}` for the question itself. `prompt` is one of the library, written as its
    command is (`/translate language=French`); `prompted.with_prompts` puts what it says into `system`, `message` and `examples`.
    `examples` are (question, answer) pairs shown before the question; `retrieval` is the collection of the knowledge base
    whose passages are shown; `name` tells candidates of one comparison apart and is never empty."""

    model: str
    name: str = ""
    system: str | None = None
    prompt: str | None = None
    message: str | None = None
    examples: tuple[tuple[str, str], ...] = ()
    retrieval: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", _name_of(self))

    def as_json(self) -> dict[str, Any]:
        """As `parse_candidate` reads it; what is not set is left out."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values["examples"] = [{"question": q, "answer": a} for q, a in self.examples] or None
        return {name: value for name, value in values.items() if value is not None}


def parse_candidate(
    spec: str | Mapping[str, Any], endpoints: Collection[str] = (), folder: Path = Path(), task: Task = "text"
) -> Candidate:
    """A candidate of one argument such as `openai:gpt-5-mini temperature=0 system="Be brief."`, or of a table of a file.

    `endpoints` are the names of `[endpoints.…]`; files of examples are looked for in `folder`; the model must be one for `task`.
    Raises: CandidateError.
    """
    table = _of_words(spec) if isinstance(spec, str) else dict(spec)
    known = [f.name for f in fields(Candidate)]
    model = table.get("model")
    if not isinstance(model, str) or not model.strip():
        raise CandidateError(f"A candidate names no model. Write it like {EXAMPLE}")
    for key in table:
        if key not in known:
            raise CandidateError(f"The candidate {model} has {key!r}. It takes {', '.join(known)}.")
    try:
        find_provider(model, task, endpoints)
    except ModelNotFound as error:
        raise CandidateError(str(error)) from error
    where = f"The candidate {model}"
    return Candidate(
        model.strip(),
        _text(table, "name", where) or "",
        _text(table, "system", where, LONGEST_SYSTEM),
        _text(table, "prompt", where, LONGEST_SYSTEM),
        _text(table, "message", where, LONGEST_SYSTEM),
        _examples(table.get("examples"), where, folder),
        _collection(table.get("retrieval"), where),
        _number(table, "temperature", where, 0.0, HOTTEST),
        _whole(table, "max_tokens", where),
    )


def read_candidates(specs: Sequence[str], endpoints: Collection[str] = (), task: Task = "text") -> list[Candidate]:
    """Of arguments, each a candidate or a .toml or .json file of several. Names that are the same are numbered.

    Raises: CandidateError.
    """
    found: list[Candidate] = []
    for spec in specs:
        path = Path(spec.strip())
        if path.suffix.lower() in {".toml", ".json"}:
            found += [parse_candidate(table, endpoints, path.parent, task) for table in _tables(path)]
        else:
            found.append(parse_candidate(spec, endpoints, task=task))
    if not found:
        raise CandidateError(f"No candidates are given. Write one like {EXAMPLE}")
    return _told_apart(found)


def _tables(path: Path) -> list[Mapping[str, Any]]:
    """The tables of a file: `[[candidate]]` in TOML, a list or `{"candidate": […]}` in JSON."""
    try:
        text = path.read_text("utf-8-sig")
        data = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except OSError as error:
        raise CandidateError(f"{path} cannot be read: {error.strerror}. Name a file of candidates.") from error
    except ValueError as error:
        raise CandidateError(f"{path} cannot be read: {error}. Correct that line.") from error
    rows = data.get("candidate") if isinstance(data, dict) else data
    if not isinstance(rows, list) or not rows:
        raise CandidateError(f"{path} holds no candidates. Write [[candidate]] and model = 'provider:model' below it.")
    return [{"model": row} if isinstance(row, str) else _table(row, path) for row in rows]


def _table(row: Any, path: Path) -> Mapping[str, Any]:
    if not isinstance(row, dict):
        raise CandidateError(f"{path} holds {row!r}. A candidate is a model id or a table with a model.")
    return row


def _of_words(spec: str) -> dict[str, Any]:
    """`model key=value …`; quotes hold words together."""
    words = shlex.shlex(spec, posix=True)
    words.whitespace_split, words.commenters, words.escape = True, "", ""
    try:
        model, *rest = list(words) or [""]
    except ValueError as error:
        raise CandidateError(f"The candidate {spec!r} has a quote that is not closed.") from error
    table: dict[str, Any] = {"model": model}
    for word in rest:
        key, sign, value = word.partition("=")
        if not sign:
            raise CandidateError(f"The candidate {model} has {word!r}, which is no key=value. Write it like {EXAMPLE}")
        if key in table:
            raise CandidateError(f"The candidate {model} has {key} twice.")
        table[key] = value
    return table


def _text(table: Mapping[str, Any], key: str, where: str, longest: int = 200) -> str | None:
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise CandidateError(f"{where} has {key} {value!r}. It takes text.")
    if len(value) > longest:
        raise CandidateError(f"{where} has a {key} of {len(value)} characters. It takes at most {longest}.")
    return value


def _number(table: Mapping[str, Any], key: str, where: str, least: float, most: float) -> float | None:
    value = table.get(key)
    if value is None:
        return None
    try:
        number = float("no" if isinstance(value, bool) else value)
    except (TypeError, ValueError):
        number = float("nan")
    if not least <= number <= most:
        raise CandidateError(f"{where} has {key} {value!r}. It takes a number from {least:g} to {most:g}.")
    return number


def _whole(table: Mapping[str, Any], key: str, where: str) -> int | None:
    number = _number(table, key, where, 1, 1_000_000)
    if number is not None and number != int(number):
        raise CandidateError(f"{where} has {key} {table[key]!r}. It takes a whole number.")
    return None if number is None else int(number)


def _collection(value: Any, where: str) -> str | None:
    """True and "true" stand for the documents that everyone reads."""
    if value in (None, False, "", "false"):
        return None
    if value in (True, "true"):
        return "shared"
    if not isinstance(value, str):
        raise CandidateError(f"{where} has retrieval {value!r}. It takes the name of a collection.")
    return value


def _examples(value: Any, where: str, folder: Path) -> tuple[tuple[str, str], ...]:
    """Tables with question and answer (or reference), or the name of a JSON Lines file of such."""
    if isinstance(value, str) and value:
        value = _lines(folder / value, where)
    if not value:
        return ()
    if not isinstance(value, list) or len(value) > MOST_EXAMPLES:
        raise CandidateError(f"{where} has examples that are no list of at most {MOST_EXAMPLES}.")
    pairs = []
    for number, row in enumerate(value, 1):
        question = row.get("question") if isinstance(row, dict) else None
        answer = row.get("answer", row.get("reference")) if isinstance(row, dict) else None
        if not isinstance(question, str) or not isinstance(answer, str) or not question.strip() or not answer.strip():
            raise CandidateError(f"{where}: example {number} needs a question and an answer, both of them text.")
        pairs.append((question, answer))
    return tuple(pairs)


def _lines(path: Path, where: str) -> list[Any]:
    try:
        return [json.loads(line) for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise CandidateError(f"{where}: its examples in {path} cannot be read as JSON Lines: {error}.") from error


def _name_of(candidate: Candidate) -> str:
    parts = [candidate.model]
    if candidate.prompt:
        parts.append(_cut(candidate.prompt, 60))
    elif candidate.system is not None:
        parts.append(f"“{_cut(candidate.system, 30)}”")
    if candidate.examples and not candidate.prompt:
        parts.append(f"{len(candidate.examples)} example{'s' if len(candidate.examples) > 1 else ''}")
    if candidate.retrieval:
        parts.append(f"reads {candidate.retrieval}")
    if candidate.temperature is not None:
        parts.append(f"temperature {candidate.temperature:g}")
    return ", ".join(parts)


def _cut(text: str, longest: int) -> str:
    words = " ".join(text.split())
    return words if len(words) <= longest else f"{words[:longest]}…"


def _told_apart(found: Sequence[Candidate]) -> list[Candidate]:
    """Raises: CandidateError where two are the same in everything."""
    apart: list[Candidate] = []
    for candidate in found:
        if candidate in apart:
            raise CandidateError(f"The candidate {candidate.name} is given twice. Take one of them out.")
        same = sum(other.name == candidate.name or other.name.startswith(f"{candidate.name} #") for other in apart)
        apart.append(replace(candidate, name=f"{candidate.name} #{same + 1}") if same else candidate)
    return apart
