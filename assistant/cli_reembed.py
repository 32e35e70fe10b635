"""`assistant reembed`: all documents are embedded with the embedding that is set."""

from __future__ import annotations

import asyncio

from assistant.cli_documents import note_reembedding, opened
from assistant.cli_jobs import finished, working
from assistant.cli_output import DONE, FAILED, print_json, print_text
from assistant.settings import Settings


async def reembed(settings: Settings, json_lines: bool) -> int:
    """Embed all documents with the embedding that is set; where the page is open, its process does the work. Ctrl-C leaves the
    rest for another time. Raises: KnowledgeError."""
    async with opened(settings) as assistant:
        knowledge = assistant.knowledge()
        name = knowledge.embedders.own.name
        if (job := await asyncio.to_thread(knowledge.reembed)) is not None:
            async with working(knowledge):
                [job] = [ended async for ended in finished(knowledge, [job.id], give_up=False)]
        done = await asyncio.to_thread(knowledge.reembedding) is None
        if json_lines:
            print_json({"embedding": name, "done": done, "message": job.message if job else ""})
        elif done:
            print_text(f"All documents are embedded with {name}.\n")
        note_reembedding(knowledge)
    return DONE if done else FAILED
