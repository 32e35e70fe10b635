"""The command that makes data sets for a person to review: from documents, or from the chat's marked answers."""

from __future__ import annotations

from pathlib import Path

from assistant.bootstrap import build_assistant
from assistant.cli_output import DONE, FAILED, CallerError, Meter, note, print_json, print_text
from assistant.evaluation.making import Made, from_documents, from_rows, marked_answers, passages_of, write_rows
from assistant.history import sqlite_url
from assistant.settings import Settings


async def make(
    settings: Settings,
    collection: str | None,
    from_chat: bool,
    user: str | None,
    count: int,
    seed: int,
    output: Path,
    json_lines: bool,
) -> int:
    """Raises: CallerError, SettingsError, EngineError."""
    if (collection is None) != from_chat:
        raise CallerError("Say --from-documents COLLECTION or --from-chat, one of the two.")
    if output.exists():
        raise CallerError(f"{output} is there already, perhaps with reviewed rows. Choose another name.")
    if from_chat and not settings.database and not (settings.home / "history.db").exists():
        raise CallerError("No conversation has been kept yet. Use the page, and mark answers there.")
    if collection is not None:
        made = await _of_documents(settings, collection, count, seed)
    else:
        made = Made(from_rows(await marked_answers(settings.database or sqlite_url(settings.home), user)), 0)
    if not made.rows:
        note("No rows could be made." if collection else "No answer has a thumb yet: mark answers in the page.")
        return FAILED
    write_rows(made.rows, output)
    if json_lines:
        print_json({"path": str(output), "rows": len(made.rows), "thrown_away": made.thrown})
    else:
        print_text(f"{output}: {len(made.rows)} rows\n")
        if made.thrown:
            note(f"{made.thrown} more were thrown away, since their answer does not stand in the passage.")
        note('Read each row, correct it, and set "reviewed": true; `assistant evaluate` refuses the others.')
    return DONE


async def _of_documents(settings: Settings, collection: str, count: int, seed: int) -> Made:
    assistant = build_assistant(settings)
    meter = Meter()
    try:
        base = assistant.knowledge()
        passages = await passages_of(base, [collection])
        if not passages:
            known = sorted({source.collection for source in base.sources()})
            raise CallerError(f"There is no collection {collection}. There are: {', '.join(known) or 'none yet'}.")
        return await from_documents(passages, assistant.engines.text(), count, seed, meter.show)
    finally:
        meter.clear()
        await assistant.close()
