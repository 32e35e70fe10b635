"""The memory errors of torch, CTranslate2 and Python, told as one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tools.engines.errors import OutOfMemory


@contextmanager
def out_of_memory_told(name: str) -> Iterator[None]:
    """Raise OutOfMemory where the runtime under `name` reports that memory ran out; other errors pass."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
            raise OutOfMemory(
                f"{name} ran out of memory.", "Choose a smaller model or size, or set its device to cpu."
            ) from error
        raise
