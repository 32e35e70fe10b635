"""A statement that a database is working on is broken off when a person stops it, however long it would have taken."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

LOOK_S = 0.2
log = logging.getLogger(__name__)
Work = Callable[["Connection"], None]


async def work_async(engine: AsyncEngine, work: Work, stop: threading.Event) -> None:
    """Raises: InterruptedError once `stop` is set; the driver asks the server to give the statement up."""
    async with engine.connect() as connection:
        await connection.execution_options(postgresql_readonly=True)
        working = asyncio.ensure_future(connection.run_sync(work))
        while not (await asyncio.wait([working], timeout=LOOK_S))[0]:
            if stop.is_set():
                working.cancel()
        if working.cancelled():
            raise InterruptedError
        working.result()


def work_blocking(engine: Engine, work: Work, stop: threading.Event) -> None:
    """Raises: what the driver says of a statement that was broken off, once `stop` is set."""
    with engine.connect() as connection, _when(stop, lambda: _break_off(engine, connection)):
        work(connection)


def _break_off(engine: Engine, connection: Connection) -> None:
    driver = connection.connection.driver_connection
    if driver is None:
        return
    if engine.dialect.name == "sqlite":
        driver.interrupt()
        return
    with engine.connect() as another:
        another.exec_driver_sql(f"KILL QUERY {driver.thread_id():d}")


@contextmanager
def _when(stop: threading.Event, break_off: Callable[[], None]) -> Iterator[None]:
    """`break_off` is called, in a thread of its own, from when `stop` is set until the block ends: between two statements it has no effect."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(LOOK_S):
            if stop.is_set():
                try:
                    break_off()
                except Exception:  # The database may not let anybody in just now.
                    log.info("a statement could not be broken off yet", exc_info=True)

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    finally:
        ended.set()
        watching.join()
