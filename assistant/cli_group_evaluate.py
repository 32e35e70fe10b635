"""The words and options of `assistant evaluate …`; what they do is in cli_evaluate.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from assistant.cli_candidates import CANDIDATES, WithDefault
from assistant.cli_groups import File, Json, finish, settings_and_log

ScoreName = Literal[
    "exact", "contains", "token_f1", "similarity", "word_error", "schema", "citations", "groundedness", "judge"
]
Candidates = Annotated[
    list[str] | None,
    typer.Option(
        *CANDIDATES,
        metavar="MODEL|FILE ...",
        help="One or more behind it: provider:model, with key=value in the same quotes where wanted, or a .toml or .json file. "
        "Without it: the model that is set.",
    ),
]
By = Annotated[ScoreName | None, typer.Option("--by", help="The score that decides; otherwise the data says.")]
Levers = Annotated[
    list[str] | None,
    typer.Option(
        "--lever",
        metavar="NAME",
        help="zero-shot, one-shot, few-shot, context or retrieval; may be repeated. Without it: what the data allows.",
    ),
]
Cap = Annotated[
    float | None,
    typer.Option(
        "--cap", min=0, metavar="AMOUNT", help="Stop before more than this is spent, in the currency of the prices."
    ),
]
Shots = Annotated[int, typer.Option("-k", min=1, max=20, help="Examples of few-shot.")]
Seed = Annotated[int, typer.Option(min=0, help="Which rows are kept for examples.")]
Parallel = Annotated[int, typer.Option(min=1, max=64, help="Calls at once at a provider.")]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", file_okay=False, help="Folder of reports; otherwise in ASSISTANT_HOME.")
]


class _DataOrCommand(WithDefault):
    """`assistant evaluate DATA` beside `assistant evaluate diff A B`: what is no command's name is a data set."""

    default = "data"


evaluate_app = typer.Typer(
    cls=_DataOrCommand,
    help="Which model, and which way of asking it, answers your own questions best: `assistant evaluate DATA`.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@evaluate_app.command()
def data(
    file: Annotated[Path, typer.Argument(metavar="DATA", help="JSON Lines or CSV: question, reference …", **File)],
    candidates: Candidates = None,
    lever: Levers = None,
    examples: Annotated[
        Path | None, typer.Option(help="A data set to take examples from, in place of a share of DATA.", **File)
    ] = None,
    collection: Annotated[str, typer.Option(help="Documents that the lever retrieval searches.")] = "",
    judge: Annotated[str | None, typer.Option(metavar="MODEL", help="A model that judges the answers.")] = None,
    by: By = None,
    cap: Cap = None,
    k: Shots = 4,
    seed: Seed = 0,
    parallel: Parallel = 4,
    constrained: Annotated[
        bool, typer.Option("--constrained", help="Hold models to the JSON schema of a row.")
    ] = False,
    rows: Annotated[int | None, typer.Option(min=2, help="Only so many rows, a seeded choice.")] = None,
    unreviewed: Annotated[bool, typer.Option("--unreviewed", help="Also rows that nobody has looked at.")] = False,
    output: Output = None,
    json: Json = False,
) -> None:
    """Ask every candidate in every way, score the answers and write a report."""
    settings = settings_and_log()
    from assistant import cli_evaluate

    options = cli_evaluate.Options(
        candidates or (),
        lever or (),
        collection,
        judge,
        by,
        cap,
        k,
        seed,
        parallel,
        constrained,
        unreviewed,
        output,
        json,
        rows,
    )
    finish(cli_evaluate.data(settings, file, examples, options))


@evaluate_app.command()
def routing(
    candidates: Candidates = None,
    lever: Levers = None,
    rows: Annotated[int | None, typer.Option(min=10, help="Only so many of the 300 rows.")] = None,
    cap: Cap = None,
    k: Shots = 4,
    seed: Seed = 0,
    parallel: Parallel = 4,
    output: Output = None,
    json: Json = False,
) -> None:
    """How well models choose the right tool, beside the classifier that ships and the router that it is part of."""
    settings = settings_and_log()
    from assistant import cli_evaluate

    options = cli_evaluate.Options(
        candidates or (), lever or (), "", None, None, cap, k, seed, parallel, True, False, output, json
    )
    finish(cli_evaluate.routing(settings, rows, options))


@evaluate_app.command()
def diff(
    before: Annotated[Path, typer.Argument(metavar="A.json", **File)],
    after: Annotated[Path, typer.Argument(metavar="B.json", **File)],
    json: Json = False,
) -> None:
    """What changed from one report to another."""
    from assistant import cli_evaluate

    raise typer.Exit(cli_evaluate.diff(before, after, json))


@evaluate_app.command()
def make(
    output: Annotated[Path, typer.Option("-o", "--output", dir_okay=False, help="Where the rows go; a .jsonl file.")],
    from_documents: Annotated[
        str | None, typer.Option("--from-documents", metavar="COLLECTION", help="Questions on passages of it.")
    ] = None,
    from_chat: Annotated[bool, typer.Option("--from-chat", help="Answers that got a thumb in the page.")] = False,
    user: Annotated[str | None, typer.Option(help="With --from-chat: only this person's.")] = None,
    count: Annotated[int, typer.Option(min=1, max=1000, help="With --from-documents: so many questions.")] = 20,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    json: Json = False,
) -> None:
    """Make a data set. A person reviews each row before it counts."""
    settings = settings_and_log()
    from assistant import cli_evaluate_make

    finish(cli_evaluate_make.make(settings, from_documents, from_chat, user, count, seed, output, json))
