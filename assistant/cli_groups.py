"""The two groups of commands, `assistant models …` and `assistant users …`, and what all commands share."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Annotated, Any, Literal

import typer

from assistant.settings import Settings, load_settings

Task = Literal["text", "speech", "image", "embedding", "reranking", "voice"]
Runs = Literal["local", "hosted"]
Modality = Literal["text", "image", "sound", "vector", "score"]
Architecture = Literal["encoder", "decoder", "encoder-decoder", "diffusion"]
Capability = Literal["chat", "speech", "image", "embedding", "reranker", "voice"]
File: dict[str, Any] = {"exists": True, "dir_okay": False, "readable": True}
Probe = Literal["tools", "sight"]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]

For = Annotated[Capability | None, typer.Option("--for", help="What for, where the model does not tell.")]

models_app = typer.Typer(help="The models that can be chosen.", rich_markup_mode=None)
users_app = typer.Typer(help="Who may log in to the page.", rich_markup_mode=None)
receipts_app = typer.Typer(help="What was answered, by what, and what it cost.", rich_markup_mode=None)
Owner = Annotated[str, typer.Option("--user", metavar="NAME", help="Whose, where people log in to the page.")]


def settings_and_log() -> Settings:
    """The settings; from now on warnings and tracebacks go to assistant.log in the home folder, not between the lines.

    Raises: SettingsError.
    """
    settings = load_settings()
    logging.captureWarnings(True)
    logging.getLogger().addHandler(_Log(settings.home / "assistant.log", encoding="utf-8", delay=True))
    return settings


class _Log(logging.FileHandler):
    """Where the log cannot be written, the message that says why still comes through."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        return


def finish(work: Coroutine[Any, Any, int]) -> None:
    """Run a command's work to its end; its exit status is the process's."""
    raise typer.Exit(asyncio.run(work))


@models_app.callback()
def models(
    context: typer.Context,
    task: Annotated[Task | None, typer.Option()] = None,
    modality: Annotated[Modality | None, typer.Option(help="What goes in or comes out.")] = None,
    provider: Annotated[str | None, typer.Option(help="Such as llama-cpp, openai, ollama.")] = None,
    is_open: Annotated[
        bool | None, typer.Option("--open/--proprietary", help="Weights that one may have, or not.")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Part of its name, such as apache.")] = None,
    architecture: Annotated[Architecture | None, typer.Option()] = None,
    size: Annotated[
        str | None, typer.Option(help="At most so large: 2GB of disk, or 3B parameters.", metavar="2GB|3B")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Such as fr.")] = None,
    runs: Annotated[Runs | None, typer.Option(help="On this machine, or at a provider's.")] = None,
    name: Annotated[str | None, typer.Option(help="Part of the id or of its maker's name.")] = None,
    sees: Annotated[bool, typer.Option("--sees", help="Only what takes pictures.")] = False,
    fits: Annotated[bool, typer.Option("--fits", help="Only what fits the memory that is free now.")] = False,
    endpoints: Annotated[
        bool, typer.Option("--endpoints", help="Also ask the servers of the settings what they serve.")
    ] = False,
    json: Json = False,
) -> None:
    if context.invoked_subcommand is None:
        from assistant import cli_models
        from tools.engines.filters import Filter

        openness = None if is_open is None else "open" if is_open else "proprietary"
        wanted = Filter(
            task, modality, provider, openness, licence, architecture, size, language, runs, name, sees, fits
        )
        finish(cli_models.list_models(settings_and_log(), wanted, endpoints, json))


@models_app.command()
def show(model: Annotated[str, typer.Argument(metavar="ID")], json: Json = False) -> None:
    """Everything that is known of one model."""
    from assistant import cli_models

    cli_models.show(settings_and_log(), model, json)


@models_app.command()
def pull(model: Annotated[str, typer.Argument(metavar="ID")], json: Json = False) -> None:
    """Put the weights of a local model in place, so that it starts without a network."""
    from assistant import cli_models

    finish(cli_models.pull(settings_and_log(), model, json))


@models_app.command()
def use(model: Annotated[str, typer.Argument(metavar="ID")], what: For = None, json: Json = False) -> None:
    """Set a capability to this model, in assistant.toml."""
    from assistant import cli_model_work

    cli_model_work.use(settings_and_log(), model, what, json)


@models_app.command()
def measure(model: Annotated[str, typer.Argument(metavar="ID")], what: For = None, json: Json = False) -> None:
    """Load this model, let it do a short fixed job, and keep its speed and memory for its card."""
    from assistant import cli_model_work

    finish(cli_model_work.measure_model(settings_and_log(), model, what, json))


@models_app.command()
def probe(
    model: Annotated[str, typer.Argument(metavar="ID")],
    only: Annotated[Probe | None, typer.Option(help="One of the two.")] = None,
    json: Json = False,
) -> None:
    """Try whether this model calls tools as it should, and whether it sees pictures; keep the result for its card."""
    from assistant import cli_model_work

    finish(cli_model_work.probe_model(settings_and_log(), model, only, json))


@receipts_app.callback()
def receipts(
    context: typer.Context,
    user: Owner = "local",
    limit: Annotated[int, typer.Option("-n", min=1, max=1000, help="How many, the newest first.")] = 20,
    json: Json = False,
) -> None:
    if context.invoked_subcommand is None:
        from assistant import cli_receipts

        finish(cli_receipts.list_receipts(settings_and_log(), user, limit, json))


@receipts_app.command("show")
def show_receipt(
    receipt: Annotated[str, typer.Argument(metavar="ID")], user: Owner = "local", json: Json = False
) -> None:
    """Everything that is kept of one answer: prompts, models with their hashes, settings, seed, passages, cost, versions."""
    from assistant import cli_receipts

    finish(cli_receipts.show(settings_and_log(), receipt, user, json))


@users_app.command()
def add(name: str) -> None:
    """Let somebody log in; the password is asked for, or read from stdin."""
    from assistant import cli_users

    cli_users.add(settings_and_log(), name)


@users_app.command()
def reset(name: str) -> None:
    """Give somebody another password."""
    from assistant import cli_users

    cli_users.reset(settings_and_log(), name)


@users_app.command("list")
def list_users(json: Json = False) -> None:
    """Who may log in."""
    from assistant import cli_users

    cli_users.list_accounts(settings_and_log(), json)


@users_app.command()
def remove(name: str) -> None:
    """Let somebody log in no longer."""
    from assistant import cli_users

    cli_users.remove(settings_and_log(), name)
