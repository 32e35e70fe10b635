"""The words and options of `assistant compare …` and `assistant leaderboard`; what they do is in cli_compare.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from assistant.cli_candidates import CANDIDATES, WithDefault
from assistant.cli_groups import File, Json, finish, settings_and_log
from assistant.cli_output import CallerError

TaskName = Literal["text", "speech", "image"]
Candidates = Annotated[
    list[str] | None,
    typer.Option(
        *CANDIDATES,
        metavar="MODEL|FILE ...",
        help="Two to four behind it: provider:model, with key=value in the same quotes where wanted, or a .toml or .json file.",
    ),
]


class _QuestionOrCommand(WithDefault):
    """`assistant compare QUESTION` beside `assistant compare vote ID A`: what is no command's name is a question."""

    default = "ask"


compare_app = typer.Typer(
    cls=_QuestionOrCommand,
    help='Ask two to four models the same: `assistant compare "Why is the sky blue?" --candidates A B`.',
    rich_markup_mode=None,
    no_args_is_help=True,
)


@compare_app.command()
def ask(
    question: Annotated[str | None, typer.Argument(help="What all of them are asked.")] = None,
    candidates: Candidates = None,
    audio: Annotated[Path | None, typer.Option(metavar="FILE", help="Compare how it is transcribed.", **File)] = None,
    reference: Annotated[
        str | None, typer.Option(metavar="TEXT|FILE", help="With --audio: what is really said, for the word error.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="With --audio: the language spoken, such as en.")] = None,
    picture: Annotated[str | None, typer.Option(metavar="PROMPT", help="Compare how it is drawn.")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 1, help="With --picture; drawn by lot without.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, max=500, help="With --picture.")] = None,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="With --picture, such as 512x512.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", file_okay=False, help="With --picture: the folder they go to.")
    ] = None,
    blind: Annotated[bool, typer.Option("--blind", help="Shuffle them and hide who is who until the vote.")] = False,
    time_limit: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=1, max=3600, help="What each may take.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell where it would go and about what it would cost.")
    ] = False,
    json: Json = False,
) -> None:
    """Ask all candidates the same, and show what comes and what it takes."""
    if [question, audio, picture].count(None) != 2:
        raise CallerError("Give a question, or --audio FILE, or --picture PROMPT: one of the three.")
    if (reference is not None or language) and audio is None:
        raise CallerError("--reference and --language go with --audio.")
    if (seed is not None or steps or size or output) and picture is None:
        raise CallerError("--seed, --steps, --size and --output go with --picture.")
    asked = picture if question is None else question
    if asked is not None and not asked.strip():
        raise CallerError("The question is empty. Write one in quotes.")
    settings = settings_and_log()
    from assistant import cli_compare

    how = cli_compare.How(candidates or (), blind, time_limit, json, dry_run)
    if audio is not None:
        finish(cli_compare.transcribers(settings, audio, reference, language, how))
    if picture is not None:
        finish(cli_compare.pictures(settings, picture, cli_compare.Drawn(seed, steps, size, output), how))
    finish(cli_compare.answers(settings, question or "", how))


@compare_app.command()
def vote(
    comparison: Annotated[str, typer.Argument(metavar="ID")],
    choice: Annotated[str, typer.Argument(metavar="A|B|C|D|tie|bad|none", help="none only tells who is who.")],
    json: Json = False,
) -> None:
    """Say which answer was the best; of a blind comparison this tells the names."""
    from assistant import cli_compare

    finish(cli_compare.vote(settings_and_log(), comparison, choice, json))


def leaderboard(
    task: Annotated[TaskName | None, typer.Option(help="One kind of model; otherwise all.")] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", dir_okay=False, help="Write all comparisons and votes: .jsonl or .csv; - is stdout."
        ),
    ] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Delete all your comparisons, answers and votes.")] = False,
    json: Json = False,
) -> None:
    """Who won your votes most, with 95 % intervals."""
    if forget and (task or export):
        raise CallerError("--forget deletes all comparisons. Say it alone.")
    from assistant import cli_compare

    if forget:
        finish(cli_compare.forget(settings_and_log(), json))
    finish(cli_compare.leaderboard(settings_and_log(), task, export, json))
