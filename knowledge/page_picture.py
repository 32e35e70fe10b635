"""A page of a PDF as a picture with a passage highlighted. The drawing happens in a process of its own (`drawing.py`)."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from knowledge.documents import KnowledgeError

DRAWER = Path(__file__).with_name("drawing.py")
MAX_SECONDS = 20.0
AT_ONCE = asyncio.Semaphore(2)
log = logging.getLogger(__name__)


async def draw_page(path: Path, number: int, phrases: Sequence[str]) -> bytes:
    """PNG of page `number`, which counts from 1; the first of `phrases` that stands on it is highlighted.

    Raises: KnowledgeError.
    """
    command = [sys.executable, "-I", str(DRAWER), str(path), str(number)]
    pipe = asyncio.subprocess.PIPE
    async with AT_ONCE:
        child = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
        try:
            told = json.dumps(list(phrases)).encode()
            picture, errors = await asyncio.wait_for(child.communicate(told), MAX_SECONDS)
        except TimeoutError:
            picture, errors = b"", b"too slow"
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
    if child.returncode or not picture:
        log.info("page %s of %s was not drawn: %s", number, path.name, errors.decode(errors="replace")[-500:])
        raise KnowledgeError(f"Page {number} of {path.name} cannot be drawn.", "Download the document and open it.")
    return picture
