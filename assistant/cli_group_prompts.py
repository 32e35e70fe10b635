"""The words and options of `assistant prompts …`; what they do is in cli_prompts.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assistant.cli_groups import Json, Owner, finish, settings_and_log

Name = Annotated[str, typer.Argument(metavar="NAME")]
prompts_app = typer.Typer(
    help="Prompts that one keeps: /NAME in a message uses one. Their inputs go before the text, as name=value.",
    rich_markup_mode=None,
)


@prompts_app.callback()
def prompts(context: typer.Context, user: Owner = "local", json: Json = False) -> None:
    if context.invoked_subcommand is None:
        from assistant import cli_prompts

        finish(cli_prompts.list_prompts(settings_and_log(), user, json))


@prompts_app.command()
def show(
    name: Name,
    version: Annotated[int | None, typer.Option(min=1, help="An earlier version of it.")] = None,
    user: Owner = "local",
    json: Json = False,
) -> None:
    """What a prompt says, its versions, the tokens that it adds, and what it bought in the last evaluation."""
    from assistant import cli_prompts

    finish(cli_prompts.show(settings_and_log(), name, version, user, json))


@prompts_app.command()
def add(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="TOML or JSON, as `prompts export` writes it; - for stdin.")
    ],
    shared: Annotated[
        bool | None, typer.Option("--shared/--own", help="Whether everybody here may use it; otherwise as it was.")
    ] = None,
    user: Owner = "local",
    json: Json = False,
) -> None:
    """Keep prompts. One that is there already gets a new version."""
    from assistant import cli_prompts

    finish(cli_prompts.add(settings_and_log(), file, shared, user, json))


@prompts_app.command()
def restore(
    name: Name, version: Annotated[int, typer.Argument(min=1)], user: Owner = "local", json: Json = False
) -> None:
    """Make an earlier version the newest again."""
    from assistant import cli_prompts

    finish(cli_prompts.restore(settings_and_log(), name, version, user, json))


@prompts_app.command()
def remove(name: Name, user: Owner = "local", json: Json = False) -> None:
    """Take a prompt of one's own out, with all its versions."""
    from assistant import cli_prompts

    finish(cli_prompts.remove(settings_and_log(), name, user, json))


@prompts_app.command()
def export(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME…", help="Without names: all of one's own.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", dir_okay=False, help="A .json file; else stdout.")
    ] = None,
    user: Owner = "local",
) -> None:
    """Write prompts to a file that `prompts add` reads."""
    from assistant import cli_prompts

    finish(cli_prompts.export(settings_and_log(), names or (), output, user))
