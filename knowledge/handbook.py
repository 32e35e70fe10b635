"""Puts the product's own manual into the knowledge base, so that "what can you do?" is answered from it."""

from __future__ import annotations

from pathlib import Path

from knowledge.knowledge_base import HANDBOOK, KnowledgeBase

FOLDER = Path(__file__).with_name("handbook")


async def install_handbook(kb: KnowledgeBase) -> None:
    """Index the manual's files that are new or changed, and forget those that are gone. Costs little when nothing changed.

    Raises: KnowledgeError when another process writes, or the disk is full or read-only.
    """
    files = {path.name: path for path in sorted(FOLDER.glob("*.md"))}
    for name, path in files.items():
        await kb.add(path, collection=HANDBOOK, source=name)
    for source in kb.sources([HANDBOOK]):
        if source.source not in files:
            await kb.forget(source.source, collection=HANDBOOK)
