"""The `assistant` command: its words, options and exit statuses. What the commands do is in the cli_*.py files beside it.

Nothing heavy is imported here: each command imports its own work.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from assistant.cli_group_compare import compare_app, leaderboard
from assistant.cli_group_evaluate import evaluate_app
from assistant.cli_group_prompts import prompts_app
from assistant.cli_groups import File, Json, Owner, finish, models_app, receipts_app, settings_and_log, users_app
from assistant.cli_output import DONE, FAILED, MISTAKE, CallerError, failure_status, note, print_text, use_utf8
from assistant.settings import SettingsError, load_settings

Tool = Literal["write_text", "generate_image", "search_knowledge", "transcribe_audio"]
Format = Literal["txt", "srt", "vtt", "json"]

Attach = Annotated[list[Path] | None, typer.Option("--attach", metavar="FILE", help="A file; may be repeated.", **File)]
Collection = Annotated[str, typer.Option(help="Where the documents go.")]

app = typer.Typer(
    help="A self-hosted assistant that types, hears, draws and looks things up.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(models_app, name="models", invoke_without_command=True)
app.add_typer(users_app, name="users")
app.add_typer(evaluate_app, name="evaluate")
app.add_typer(compare_app, name="compare")
app.add_typer(prompts_app, name="prompts", invoke_without_command=True)
app.command()(leaderboard)
app.add_typer(receipts_app, name="receipts", invoke_without_command=True)


def main() -> None:
    """The entry point: every known error becomes one line on stderr and an exit status."""
    use_utf8()
    sys.exit(call(sys.argv[1:]))


def call(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status: 0 success, 1 failure, 2 a mistake of the caller, 130 stopped."""
    try:
        return int(app(list(arguments), prog_name="assistant", standalone_mode=False) or DONE)
    except typer.TyperException as error:
        note(_usage_mistake(error))
        return error.exit_code
    except (CallerError, SettingsError) as error:
        note(str(error))
        return MISTAKE
    except _readable() as error:
        note(str(error))
        return failure_status(type(error).__name__)
    except OSError as error:
        note(f"{error.filename or 'A file'} cannot be used: {error.strerror or error}.")
        return FAILED


def _usage_mistake(error: typer.TyperException) -> str:
    context: typer.Context | None = getattr(error, "ctx", None)
    command = context.command_path if context else "assistant"
    return f"{error.format_message().rstrip('.').replace('Value error, ', '')}. See `{command} --help`."


def _readable() -> tuple[type[Exception], ...]:
    """Errors whose message is written for the person; looked up only once something has failed."""
    from assistant.accounts import AccountError
    from assistant.history import HistoryError
    from knowledge.documents import KnowledgeError
    from tools.engines.errors import EngineError

    return EngineError, KnowledgeError, AccountError, HistoryError


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", hidden=True)] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        print_text(f"assistant {installed('assistant')}\n")
    elif context.invoked_subcommand is None:
        print_text(context.get_help() + "\n")


@app.command()
def run(
    host: Annotated[str | None, typer.Option(help="Address to listen on; beyond loopback needs --login.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the page.")] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Refuse every hosted provider and every download.")
    ] = False,
    login: Annotated[bool, typer.Option("--login", help="Ask everybody for name and password.")] = False,
    cert: Annotated[Path | None, typer.Option(help="Certificate file for HTTPS.", **File)] = None,
    key: Annotated[Path | None, typer.Option(help="Key file for HTTPS.", **File)] = None,
) -> None:
    """Open the chat page."""
    settings = load_settings()
    given: dict[str, Any] = {
        "host": host,
        "port": port,
        "offline": offline or None,
        "login": login or None,
        "cert": cert,
        "key": key,
    }
    settings = replace(settings, **{name: value for name, value in given.items() if value is not None})
    if (settings.cert is None) != (settings.key is None):
        raise CallerError("HTTPS needs both --cert and --key.")
    for warning in settings.warnings:
        note(warning)
    from assistant.app_server import serve

    serve(settings)


@app.command()
def ask(
    text: str,
    attach: Attach = None,
    thread: Annotated[str, typer.Option(metavar="ID", help="Go on in this thread; any name starts one.")] = "",
    tool: Annotated[Tool | None, typer.Option(help="Use this tool.")] = None,
    profile: Annotated[
        str | None, typer.Option(metavar="PROMPT", help="Answer under this prompt of the library.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell where it would go and about what it would cost.")
    ] = False,
    json: Json = False,
) -> None:
    """Answer one question."""
    if not text.strip() and not attach:
        raise CallerError("The question is empty. Write one in quotes, or attach a file.")
    settings = settings_and_log()
    from assistant import cli_turns
    from assistant.agent import Turn

    turn = Turn(text, [p.absolute() for p in attach or ()], thread=thread, tool=tool, profile=profile)
    if dry_run:
        from assistant import cli_receipts

        finish(cli_receipts.dry_run(settings, turn, json))
    finish(cli_turns.ask(settings, turn, json))


@app.command()
def route(
    text: Annotated[str | None, typer.Argument()] = None,
    attach: Attach = None,
    batch: Annotated[
        bool, typer.Option("--batch", help='Read JSON Lines on stdin: {"id", "text", "kinds"?, "thread"?}.')
    ] = False,
    json: Json = False,
) -> None:
    """Tell which tool would answer, and do nothing."""
    if batch == (text is not None):
        raise CallerError("Give a text, or --batch with JSON Lines on stdin: one of the two.")
    if batch and attach:
        raise CallerError('--batch reads no files. Put "kinds": ["document"] in the lines instead of --attach.')
    settings = settings_and_log()
    from assistant import cli_turns
    from assistant.agent import Turn

    if batch:
        finish(cli_turns.route_batch(settings))
    finish(cli_turns.route(settings, Turn(text or "", attach or ()), json))


@app.command()
def transcribe(
    file: Annotated[Path, typer.Argument(**File)],
    language: Annotated[str | None, typer.Option(help="Spoken language such as en or fr; otherwise detected.")] = None,
    translate: Annotated[bool, typer.Option("--translate", help="Translate into English.")] = False,
    form: Annotated[Format | None, typer.Option("--format", help="txt unless told otherwise.")] = None,
    words: Annotated[bool, typer.Option("--words", help="With --json, when each word was said.")] = False,
    speakers: Annotated[
        int | None, typer.Option(min=0, max=20, help="Tell that many speakers apart; 0 finds out how many there are.")
    ] = None,
    json: Json = False,
) -> None:
    """Turn speech into text."""
    if json and form not in (None, "json"):
        raise CallerError(f"--json and --format {form} exclude each other.")
    settings = settings_and_log()
    from assistant import cli_media
    from tools.engines.base import SpeechRequest

    spoken = language or settings.speech.language
    request = SpeechRequest(
        file, language=spoken, translate=translate, vocabulary=settings.speech.vocabulary, word_times=words
    )
    finish(cli_media.transcribe(settings, request, "json" if json else form or "txt", speakers))


@app.command()
def imagine(
    prompt: str,
    output: Annotated[Path, typer.Option("-o", "--output", dir_okay=False, help="Where the picture goes.")],
    seed: Annotated[int | None, typer.Option(min=0, max=2**32 - 1)] = None,
    steps: Annotated[int | None, typer.Option(min=1, max=500)] = None,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Such as 512x512.")] = None,
    source: Annotated[Path | None, typer.Option("--from", metavar="IMAGE", help="A picture to change.", **File)] = None,
    mask: Annotated[Path | None, typer.Option(metavar="IMAGE", help="White where it may change.", **File)] = None,
    strength: Annotated[float | None, typer.Option(min=0.01, max=1, help="How much of it is made anew.")] = None,
    negative: Annotated[str, typer.Option(metavar="WORDS", help="What it shall not show.")] = "",
    lora: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="LoRA weights in safetensors.", **File)
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=100, help="So many, numbered, with seeds that follow.")] = 1,
    upscale: Annotated[float | None, typer.Option(min=1.1, max=4, help="So many times as large, once drawn.")] = None,
    json: Json = False,
) -> None:
    """Draw a picture, or change one with --from. With --upscale and an empty PROMPT, that one is only enlarged."""
    if mask and not source:
        raise CallerError("--mask needs --from.")
    if strength and not source:
        raise CallerError("--strength needs --from.")
    if not (prompt.strip() or (upscale and source)):
        raise CallerError("The prompt is empty. Write what the picture shall show.")
    settings = settings_and_log()
    from assistant import cli_media
    from tools.engines.base import ImageRequest
    from tools.engines.picture_input import parse_size

    table = settings.image
    request = ImageRequest(
        prompt,
        negative_prompt=negative,
        size=parse_size(wanted) if (wanted := size or table.size) else None,
        steps=steps or table.steps,
        guidance_scale=table.guidance_scale,
        seed=seed,
        image=source,
        mask=mask,
        strength=strength,
        loras=tuple(lora or map(Path, table.lora)),
    )
    finish(cli_media.imagine(settings, request, output, count, upscale, json))


@app.command()
def say(
    text: str,
    output: Annotated[Path, typer.Option("-o", "--output", dir_okay=False, help="Where the sound goes; a .wav file.")],
    language: Annotated[str | None, typer.Option(help="Language of the text such as en or fr.")] = None,
    json: Json = False,
) -> None:
    """Speak a text."""
    if not text.strip():
        raise CallerError("The text is empty. Write what shall be said.")
    settings = settings_and_log()
    from assistant import cli_media

    finish(cli_media.say(settings, text, language, output, json))


@app.command()
def ingest(
    places: Annotated[list[str] | None, typer.Argument(metavar="PATH|URL...")] = None,
    collection: Collection = "shared",
    site: Annotated[bool, typer.Option("--site", help="Read the pages that a web page leads to, too.")] = False,
    depth: Annotated[int | None, typer.Option(min=0, max=20, help="With --site: clicks from it; 2 by default.")] = None,
    pages: Annotated[int | None, typer.Option(min=1, max=10_000, help="With --site: at most so many; 50.")] = None,
    database: Annotated[
        str | None, typer.Option(metavar="URL", help="Such as postgresql://${DB_USER}:${DB_PASSWORD}@host/name.")
    ] = None,
    table: Annotated[list[str] | None, typer.Option(metavar="NAME", help="A table of it; may be repeated.")] = None,
    query: Annotated[list[str] | None, typer.Option(metavar="NAME=SELECT", help="May be repeated.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Stay in step with a folder until Ctrl-C.")] = False,
    json: Json = False,
) -> None:
    """Read documents into the knowledge base: files, folders, web pages, tables of databases."""
    if not places and database is None:
        raise CallerError(
            "Name a file, a folder or a web address, or give a --database. See `assistant ingest --help`."
        )
    if (depth is not None or pages is not None) and not site:
        raise CallerError("--depth and --pages go with --site.")
    if (table or query) and database is None:
        raise CallerError("--table and --query need a --database.")
    if watch and (database is not None or len(places or ()) != 1):
        raise CallerError("--watch follows one folder. Name it alone.")
    if watch and site:
        raise CallerError("--site goes with a web address, --watch with a folder.")
    settings = settings_and_log()
    from assistant import cli_documents, cli_sources
    from knowledge.web import SiteLimits

    if watch and places:
        finish(cli_documents.watch(settings, places[0], collection, json))
    limits = SiteLimits(2 if depth is None else depth, pages or 50) if site else None
    selections = cli_sources.selections_of(table or (), query or ())
    wish = cli_sources.Wish(places or (), collection, limits, database, selections)
    finish(cli_sources.ingest(settings, wish, json))


@app.command()
def refresh(
    source: Annotated[str | None, typer.Argument(help="One page, site or database; without it all of them.")] = None,
    json: Json = False,
) -> None:
    """Read web pages and databases anew: only what changed is fetched and indexed."""
    from assistant import cli_sources

    finish(cli_sources.refresh(settings_and_log(), source, json))


@app.command()
def sources(json: Json = False) -> None:
    """List the documents of the knowledge base."""
    from assistant import cli_documents

    finish(cli_documents.sources(settings_and_log(), json))


@app.command()
def jobs(
    pause: Annotated[list[str] | None, typer.Option(metavar="ID", help="What is there of it stays.")] = None,
    resume: Annotated[list[str] | None, typer.Option(metavar="ID", help="Go on, or try again.")] = None,
    cancel: Annotated[list[str] | None, typer.Option(metavar="ID", help="Give it up.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also what is done.")] = False,
    json: Json = False,
) -> None:
    """List what is being read into the knowledge base, waits or failed."""
    from assistant import cli_queue

    wishes = {"pause": pause or (), "resume": resume or (), "cancel": cancel or ()}
    finish(cli_queue.jobs(settings_and_log(), wishes, every, json))


@app.command()
def forget(
    source: Annotated[str | None, typer.Argument()] = None,
    every: Annotated[bool, typer.Option("--all", help="All documents.")] = False,
    collection: Annotated[
        str | None, typer.Option(help="SOURCE in this collection; without SOURCE all documents of it.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    site: Annotated[bool, typer.Option("--site", help="All pages of the site that was read from SOURCE.")] = False,
    json: Json = False,
) -> None:
    """Take documents out of the knowledge base."""
    if (source is not None) + every + (source is None and collection is not None) != 1:
        raise CallerError("Name one source, or say --all or --collection NAME.")
    if site and source is None:
        raise CallerError("--site goes with the address it was read from.")
    from assistant import cli_documents, cli_sources

    if source is not None and site:
        finish(cli_sources.forget_site(settings_and_log(), source, json))
    if source is not None:
        finish(cli_documents.forget(settings_and_log(), source, collection, json))
    finish(cli_documents.forget_all(settings_and_log(), collection, yes, json))


@app.command("export-knowledge")
def export_knowledge(folder: Annotated[Path, typer.Argument(file_okay=False)], json: Json = False) -> None:
    """Write all documents out: their text as JSON Lines, and the files that were kept."""
    from assistant import cli_documents

    finish(cli_documents.export(settings_and_log(), folder, json))


@app.command()
def search(
    query: str,
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="How many passages.")] = 5,
    collection: Annotated[str | None, typer.Option(help="Search only this one.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="Only this document; may be repeated.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Such as pdf, sheet, web; may be repeated.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only documents with it; may be repeated.")] = None,
    since: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="Added on this day or later.")] = "",
    until: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="Added on this day or before.")] = "",
    pages: Annotated[str, typer.Option(metavar="FIRST-LAST", help="Such as 3-7.")] = "",
    json: Json = False,
) -> None:
    """Find passages in the documents."""
    if not query.strip():
        raise CallerError("The query is empty. Write what to look for.")
    settings = settings_and_log()
    from assistant import cli_documents, cli_retrieval

    where = cli_retrieval.filter_of(source or (), kind or (), tag or (), since, until, pages)
    finish(cli_documents.search(settings, query, k, collection, json, where))


@app.command()
def fit(
    collection: str,
    questions: Annotated[
        Path | None,
        typer.Option(help='JSON Lines: {"question", "source", "page"}; else made from the documents.', **File),
    ] = None,
    json: Json = False,
) -> None:
    """Find out how much meaning counts against words in a collection."""
    from assistant import cli_retrieval

    finish(cli_retrieval.fit(settings_and_log(), collection, questions, json))


@app.command()
def reembed(json: Json = False) -> None:
    """Embed all documents with the embedding that is set, where another one made their vectors."""
    from assistant import cli_reembed

    finish(cli_reembed.reembed(settings_and_log(), json))


@app.command()
def tag(
    source: str,
    tags: Annotated[list[str] | None, typer.Argument(help="In place of its former ones; none takes them away.")] = None,
    json: Json = False,
) -> None:
    """Give a document tags to search by."""
    from assistant import cli_retrieval

    finish(cli_retrieval.tag(settings_and_log(), source, tags or (), json))


@app.command()
def replay(
    receipt: Annotated[str, typer.Argument(metavar="RECEIPT", help="Its id, as `assistant receipts` lists it.")],
    user: Owner = "local",
    json: Json = False,
) -> None:
    """Run an answer again from its receipt and tell what differs: words of answers and transcripts, pixels of pictures, and models,
    weights, versions and passages that have changed since. Nothing is kept of it. Exit status 0 where it is the same, 1 where
    it differs."""
    from assistant import cli_receipts

    finish(cli_receipts.run_again(settings_and_log(), receipt, user, json))


@app.command()
def spending(
    since: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="From this day on.")] = "",
    user: Annotated[str | None, typer.Option(metavar="NAME", help="Only this person's.")] = None,
    json: Json = False,
) -> None:
    """What hosted models cost, by day, person and model, and what the caps leave."""
    from assistant import cli_receipts

    raise typer.Exit(cli_receipts.spending(settings_and_log(), cli_receipts.day_of(since), user, json))


@app.command()
def check(
    repair: Annotated[
        bool, typer.Option("--repair", help="Compare the indexes of the documents with the text, and mend them.")
    ] = False,
    json: Json = False,
) -> None:
    """Tell what will run, and what is missing."""
    if repair:
        from assistant import cli_documents

        finish(cli_documents.repair(settings_and_log(), json))
    from assistant import cli_models

    raise typer.Exit(cli_models.check(settings_and_log(), json))


if __name__ == "__main__":
    main()
