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
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]

models_app = typer.Typer(help="The models that can be chosen.", rich_markup_mode=None)
users_app = typer.Typer(help="Who may log in to the page.", rich_markup_mode=None)


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
    licence: Annotated[str | None, typer.Option(help="Part of its name, such as apache.")] = None,
    runs: Annotated[Runs | None, typer.Option(help="On this machine, or at a provider's.")] = None,
    name: Annotated[str | None, typer.Option(help="Part of the id.")] = None,
    fits: Annotated[bool, typer.Option("--fits", help="Only what fits the memory that is free now.")] = False,
    json: Json = False,
) -> None:
    if context.invoked_subcommand is None:
        from assistant import cli_models

        cli_models.list_models(task, licence, runs, name, fits, json)


@models_app.command()
def show(model: Annotated[str, typer.Argument(metavar="ID")], json: Json = False) -> None:
    """Everything that is known of one model."""
    from assistant import cli_models

    cli_models.show(model, json)


@models_app.command()
def pull(model: Annotated[str, typer.Argument(metavar="ID")], json: Json = False) -> None:
    """Put the weights of a local model in place, so that it starts without a network."""
    from assistant import cli_models

    finish(cli_models.pull(settings_and_log(), model, json))


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
