"""Typed settings, read once at the edge: `assistant.toml`, then `.env`, then ASSISTANT_<NAME> in the environment.

A table a capability; `chat = "provider:model"` is short for `[chat] model = "provider:model"`. Nobody else reads the environment.
"""

from __future__ import annotations

import difflib
import math
import os
import re
import tomllib
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints
from urllib.parse import quote

PREFIX = "ASSISTANT_"
FILE = "assistant.toml"
VARIABLE = re.compile(r"\$\{(\w+)\}")


class SettingsError(Exception):
    """One line that names the key and the remedy."""


def _help(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class Chat:
    model: str = _help("llama-cpp:qwen2.5-coder-1.5b-instruct", "answers in words")
    device: Device = _help("auto", "auto, cpu or cuda")
    base_url: str | None = _help(None, "address of an OpenAI-compatible server")
    context_tokens: int | None = _help(
        None, "prompt and answer together; unset is 4096 here, the model's own when hosted"
    )
    max_tokens: int = _help(1024, "longest answer, in tokens")
    sees_images: bool | None = _help(None, "true for a model that looks at pictures; unset goes by its card")
    temperature: float = _help(0.3, "0 repeats itself exactly, 1 varies freely")
    timeout_s: float = _help(60.0, "how long a hosted server may stay silent")


@dataclass(frozen=True)
class Speech:
    model: str = _help("faster-whisper:base", "turns speech into text")
    device: Device = _help("auto", "auto, cpu or cuda")
    base_url: str | None = _help(None, "address of an OpenAI-compatible server")
    compute_type: str = _help("auto", "int8, float16, float32 …; auto takes int8 on a CPU")
    language: str | None = _help(None, "fixed language such as en or fr; unset detects it")
    vocabulary: str = _help("", "names and jargon that recordings will hold")
    timeout_s: float = _help(300.0, "how long a hosted server may stay silent")


@dataclass(frozen=True)
class Image:
    model: str | None = _help(
        None, "draws pictures; starter:drawings, a folder or hub id of a diffusers pipeline, or a hosted model"
    )
    device: Device = _help("auto", "auto, cpu or cuda")
    base_url: str | None = _help(None, "address of an OpenAI-compatible server")
    steps: int | None = _help(None, "sampling steps; unset takes the model's own")
    guidance_scale: float | None = _help(None, "how strictly the prompt is followed; unset takes the model's own")
    size: str | None = _help(None, "width x height such as 512x512; unset takes the model's own")
    lora: tuple[str, ...] = _help((), "LoRA files in safetensors format that every picture is drawn with")
    strength: float | None = _help(
        None, "how much of a picture is made anew when it is changed, above 0 to 1; unset is 0.6"
    )
    facts: bool = _help(True, "false writes no prompt, seed and model into the PNG files")
    filter: Literal["off", "warn", "block"] = _help(
        "warn", "what happens to prompts for nudity or gore: off, warn or block"
    )
    enabled: bool = _help(True, "false switches pictures off")
    timeout_s: float = _help(180.0, "how long a hosted server may stay silent")


@dataclass(frozen=True)
class Embedding:
    model: str = _help("onnx:all-MiniLM-L6-v2", "finds passages in documents")
    device: Device = _help("auto", "auto, cpu or cuda")
    base_url: str | None = _help(None, "address of an OpenAI-compatible server")
    timeout_s: float = _help(60.0, "how long a hosted server may stay silent")


@dataclass(frozen=True)
class Reranker:
    model: str | None = _help(
        None, "sorts what was found anew: sentence-transformers:<cross-encoder>, or a hosted model; unset does without"
    )
    device: Device = _help("auto", "auto, cpu or cuda")
    base_url: str | None = _help(None, "address of a server with a /rerank of Cohere's kind")
    timeout_s: float = _help(30.0, "how long a hosted server may stay silent")


@dataclass(frozen=True)
class Voice:
    model: str | None = _help(
        None, "speaks the answers; unset is piper:en_US-joe-medium where the extra `voice` is installed"
    )
    device: Device = _help("auto", "auto, cpu or cuda")
    base_url: str | None = _help(None, "address of an OpenAI-compatible server")
    name: str = _help("alloy", "which of a hosted model's voices speaks")
    timeout_s: float = _help(60.0, "how long a hosted server may stay silent")


@dataclass(frozen=True)
class Spending:
    day: float | None = _help(None, "the most that hosted models may cost a day, all people together; unset is no cap")
    user_day: float | None = _help(None, "the most that they may cost one person a day")
    currency: str = _help("USD", "what the caps are in")

    @property
    def capped(self) -> bool:
        return self.day is not None or self.user_day is not None


@dataclass(frozen=True)
class NamedEndpoint:
    """`[endpoints.work]`: then `chat = "work:model"`."""

    base_url: str
    api_key_env: str | None = None
    api_version: str | None = None


@dataclass(frozen=True)
class Settings:
    chat: Chat = field(default_factory=Chat)
    speech: Speech = field(default_factory=Speech)
    image: Image = field(default_factory=Image)
    embedding: Embedding = field(default_factory=Embedding)
    reranker: Reranker = field(default_factory=Reranker)
    voice: Voice = field(default_factory=Voice)
    spending: Spending = field(default_factory=Spending)
    home: Path = _help(Path("~/.assistant"), "the one folder that holds all state")
    database: str | None = _help(None, "history elsewhere: postgresql+asyncpg://… ; unset is SQLite in home")
    offline: bool = _help(False, "true refuses every hosted provider and every download")
    host: str = _help("127.0.0.1", "address of the page; beyond loopback needs login")
    port: int = _help(8000, "port of the page")
    login: bool = _help(False, "true asks everybody for name and password")
    admins: tuple[str, ...] = _help((), "accounts that may choose models in the page where login is on")
    cert: Path | None = _help(None, "certificate file for HTTPS")
    key: Path | None = _help(None, "key file for HTTPS")
    max_upload_mb: int = _help(500, "largest file that may be dropped, in megabytes")
    fetch_private_hosts: tuple[str, ...] = _help(
        (), "names and networks inside the house that pages may be fetched from: wiki.intern, .intern, 10.0.0.0/8"
    )
    chroma_url: str | None = _help(
        None, "a Chroma server for the vectors, http://127.0.0.1:8001; unset keeps them in home"
    )
    endpoints: Mapping[str, NamedEndpoint] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Secrets and addresses of providers from the environment: OPENAI_API_KEY and its like."""
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The environment's proxies by scheme, and under "no" the hosts that are reached without."""
    warnings: tuple[str, ...] = ()
    file: Path = field(default=Path(FILE), compare=False)
    """Where these settings were read from, or would be."""
    from_environment: tuple[str, ...] = field(default=(), compare=False)
    """The ASSISTANT_ variables that were set, in `.env` or beyond; they win over the file."""


CAPABILITIES = ("chat", "speech", "image", "embedding", "reranker", "voice")
_TABLES = (*CAPABILITIES, "spending")
_TASKS: dict[str, Any] = {"chat": "text", "reranker": "reranking"}
_INTERNAL = {"endpoints", "keys", "proxies", "warnings", "file", "from_environment"}
S = TypeVar("S")


def load_settings(folder: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Settings of a process started in `folder` (the current one by default).

    Raises: SettingsError.
    """
    folder = folder or Path.cwd()
    variables = {**_dotenv(folder / ".env"), **(os.environ if environ is None else environ)}
    settings = _from_toml(Settings(), folder / FILE)
    settings = _from_environment(settings, variables)
    _check_models(settings)
    if not 1 <= settings.port <= 65535:
        raise SettingsError(f"port is {settings.port}. It takes a number from 1 to 65535.")
    if settings.fetch_private_hosts:
        _check_hosts(settings)
    if settings.chroma_url:
        _check_chroma(settings.chroma_url)
    home = settings.home.expanduser().absolute()
    file = (folder / FILE).absolute()
    return replace(settings, home=home, keys=_keys(settings, variables), proxies=_proxies(variables), file=file)


def read_file(path: Path) -> Settings:
    """What one file says, without the environment. Raises: SettingsError."""
    settings = _from_toml(Settings(), path)
    _check_models(settings)
    return settings


def with_variables(text: str, folder: Path | None = None, environ: Mapping[str, str] | None = None) -> str:
    """A URL with each `${NAME}` in it replaced from `.env` and the environment, so that a secret need not be written down.
    A name or password, which stands before an @, is quoted as a URL wants it.

    Raises: SettingsError for a name that has no value.
    """
    variables = {**_dotenv((folder or Path.cwd()) / ".env"), **(os.environ if environ is None else environ)}

    def value(found: re.Match[str]) -> str:
        if not variables.get(found[1]):
            raise SettingsError(f"{found[1]} has no value. Set it in .env or in the environment.")
        secret = "@" in text[found.end() :]
        return quote(variables[found[1]], safe="") if secret else variables[found[1]]

    return VARIABLE.sub(value, text)


def with_model(settings: Settings, capability: str, model: str) -> Settings:
    """The same settings with another model for one capability. The address of a server stays behind with its provider, so
    that neither a key nor a question goes to a server that was set up for another."""
    table = getattr(settings, capability)
    same = model.partition(":")[0] == (table.model or "").partition(":")[0]
    changes = {"model": model} if same else {"model": model, "base_url": None}
    return _changed(settings, {capability: _changed(table, changes)})


def settings_rows() -> list[tuple[str, str, str, str]]:
    """(name in assistant.toml, environment variable, default, help) of every setting, for the README and the help."""
    rows = []
    for top in fields(Settings):
        if top.name in _TABLES:
            table = type(getattr(Settings(), top.name))
            rows += [_row(f, top.name) for f in fields(table)]
        elif top.name not in _INTERNAL:
            rows.append(_row(top, None))
    return rows


def _row(f: Field[Any], table: str | None) -> tuple[str, str, str, str]:
    name = f.name if table is None else table if f.name == "model" else f"{table}.{f.name}"
    default = "" if f.default in (None, MISSING, ()) else str(f.default)
    return name, PREFIX + name.replace(".", "_").upper(), default, f.metadata["help"]


def _dotenv(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    from dotenv import dotenv_values

    return {name: value for name, value in dotenv_values(path).items() if value is not None}


def _from_toml(settings: Settings, path: Path) -> Settings:
    if not path.exists():
        return settings
    try:
        data = tomllib.loads(path.read_text("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{path.name} cannot be read: {error}. Correct that line.") from error
    named = data.pop("endpoints", {})
    if not isinstance(named, dict):
        raise SettingsError(f"endpoints in {path.name} needs a name: write [endpoints.work] and base_url below it.")
    endpoints = {name: _endpoint(name, table) for name, table in named.items()}
    return replace(_fill(settings, data, ""), endpoints=endpoints)


def _endpoint(name: str, table: Any) -> NamedEndpoint:
    if not isinstance(table, dict) or "base_url" not in table:
        raise SettingsError(f"endpoints.{name} needs a base_url, such as base_url = 'http://127.0.0.1:8080/v1'.")
    return _fill(NamedEndpoint(""), table, f"endpoints.{name}.")


def _fill(target: S, data: Mapping[str, Any], where: str) -> S:
    hints = get_type_hints(type(target))
    known = [f.name for f in fields(target) if f.name not in _INTERNAL]  # type: ignore[arg-type]
    changes = {}
    for key, value in data.items():
        if key not in known:
            raise SettingsError(f"Unknown setting {where}{key} in {FILE}.{_did_you_mean(key, known)}")
        if key in CAPABILITIES and not where:
            table = value if isinstance(value, dict) else {"model": value}
            changes[key] = _fill(getattr(target, key), table, f"{key}.")
        elif key in _TABLES and not where:
            if not isinstance(value, dict):
                raise SettingsError(f"{key} in {FILE} is a table: write [{key}] and its settings below it.")
            changes[key] = _fill(getattr(target, key), value, f"{key}.")
        else:
            changes[key] = _convert(value, hints[key], f"{where}{key}")
    return _changed(target, changes)


def _from_environment(settings: Settings, variables: Mapping[str, str]) -> Settings:
    names = {env: name for name, env, _, _ in settings_rows()}
    warnings = []
    heeded = []
    for env, value in sorted(variables.items()):
        if not env.startswith(PREFIX) or env.startswith(f"{PREFIX}TEST_"):
            continue
        if env not in names:
            warnings.append(f"Unknown variable {env}.{_did_you_mean(env, names)}")
            continue
        table, _, key = names[env].rpartition(".")
        if names[env] in CAPABILITIES:
            table, key = names[env], "model"
        target = getattr(settings, table) if table else settings
        hint = get_type_hints(type(target))[key]
        if not value.strip() and not _optional(hint):
            continue
        heeded.append(env)
        converted = _convert(value, hint, env)
        changed = _changed(target, {key: converted})
        settings = _changed(settings, {table: changed}) if table else changed
    return replace(settings, warnings=tuple(warnings), from_environment=tuple(heeded))


def _check_models(settings: Settings) -> None:
    from tools.engines.catalogue import PROVIDERS, find_provider
    from tools.engines.errors import ModelNotFound

    for name in settings.endpoints:
        if name in PROVIDERS or ":" in name:
            raise SettingsError(
                f"endpoints.{name} cannot be called that: it is the name of a provider. Choose another."
            )
    for name in CAPABILITIES:
        model = getattr(settings, name).model
        try:
            if model is not None:
                find_provider(model, _TASKS.get(name, cast(Any, name)), settings.endpoints)
        except ModelNotFound as error:
            raise SettingsError(f"{name} ({PREFIX}{name.upper()}) is {model!r}. {error}") from error


def _check_hosts(settings: Settings) -> None:
    from knowledge.addresses import check_private_hosts

    try:
        check_private_hosts(settings.fetch_private_hosts)
    except ValueError as error:
        raise SettingsError(
            f"fetch_private_hosts: {error}. It takes names and networks, such as wiki.intern, 10.0.0.0/8."
        ) from error


def _check_chroma(url: str) -> None:
    from knowledge.store_address import split_address

    try:
        split_address(url)
    except ValueError as error:
        raise SettingsError(f"chroma_url is {url!r}. {error}.") from error


def _proxies(variables: Mapping[str, str]) -> dict[str, str]:
    found = {
        s: variables.get(f"{s}_proxy") or variables.get(f"{s.upper()}_PROXY") for s in ("http", "https", "all", "no")
    }
    return {scheme: value for scheme, value in found.items() if value}


def _keys(settings: Settings, variables: Mapping[str, str]) -> dict[str, str]:
    wanted = {e.api_key_env for e in settings.endpoints.values() if e.api_key_env}
    return {n: v for n, v in variables.items() if v and (n in wanted or n.endswith("_API_KEY") or n in _ADDRESSES)}


_ADDRESSES = {"AZURE_OPENAI_ENDPOINT", "OPENAI_API_VERSION", "OLLAMA_HOST"}


def _changed(target: S, changes: Mapping[str, Any]) -> S:
    return cast(S, replace(cast(Any, target), **changes))


def _optional(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType)


def _convert(value: Any, hint: Any, name: str) -> Any:
    if _optional(hint):
        if value in ("", None):
            return None
        hint = next(a for a in get_args(hint) if a is not type(None))
    if get_origin(hint) is tuple:
        return _to_texts(value, name)
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise SettingsError(f"{name} is {value!r}. Use one of: {', '.join(get_args(hint))}.")
        return value
    try:
        return _CONVERTERS[hint](value)
    except (ValueError, TypeError, KeyError) as error:
        raise SettingsError(f"{name} is {value!r}. It takes {_WORDS[hint]}.") from error


def _to_bool(value: Any) -> bool:
    return {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}[
        str(value).lower()
    ]


def _to_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _to_texts(value: Any, name: str) -> tuple[str, ...]:
    """A list in the file, commas in the environment."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise SettingsError(f"{name} is {value!r}. It takes a list of texts.")
    return tuple(part.strip() for part in parts if part.strip())


def _to_number(kind: type) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if isinstance(value, bool) or (kind is int and isinstance(value, float)):
            raise TypeError
        number = kind(value)
        if not 0 <= number < math.inf:
            raise ValueError
        return number

    return convert


_CONVERTERS: dict[Any, Callable[[Any], Any]] = {
    bool: _to_bool,
    int: _to_number(int),
    float: _to_number(float),
    str: _to_text,
    Path: lambda value: Path(_to_text(value)).expanduser(),
}
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text in quotes", Path: "a path"}


def _did_you_mean(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), 1, 0.6)
    return f" Did you mean {close[0]}?" if close else " `assistant check` lists what there is."
