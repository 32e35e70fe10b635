"""Threads, turns and receipts: SQLite in ASSISTANT_HOME, or PostgreSQL by URL.

A turn is written when it begins and again when it ends, so a process killed half-way leaves the question and the words
that had been answered; the next start marks such turns as interrupted.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from knowledge.write_ahead import use_write_ahead_log

TurnState = Literal["running", "done", "failed", "stopped", "interrupted", "replaced"]

_metadata = sa.MetaData()
_threads = sa.Table(
    "assistant_threads",
    _metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("user", sa.String, nullable=False, index=True),
    sa.Column("title", sa.String, nullable=False, default=""),
    sa.Column("created", sa.Float, nullable=False),
)
_turns = sa.Table(
    "assistant_turns",
    _metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("thread", sa.String, sa.ForeignKey("assistant_threads.id", ondelete="CASCADE"), index=True),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("tool", sa.String),
    sa.Column("answer", sa.Text, nullable=False, default=""),
    sa.Column("attachments", sa.JSON, nullable=False, default=list),
    sa.Column("receipt", sa.JSON, nullable=False, default=dict),
)


class HistoryError(Exception):
    """`message` says what happened, `remedy` what to do about it."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True)
class TurnRecord:
    """One question and its answer. `attachments` are {"path", "name", "kind", "mime_type"}; `created` is Unix time."""

    id: str
    thread: str
    created: float
    state: TurnState
    request: str
    tool: str | None
    answer: str
    attachments: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    receipt: Mapping[str, Any] = field(default_factory=dict)


class History:
    """Safe to use from one event loop; several processes may share the database.

    Every method raises HistoryError where the database cannot be reached or written.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url, _metadata)
        self._lock = asyncio.Lock()

    async def mark_interrupted(self) -> int:
        """Turns that a killed process left running become interrupted. Called once, when the page starts."""
        statement = sa.update(_turns).where(_turns.c.state == "running").values(state="interrupted")
        async with (await self._database.open()).begin() as connection:
            return (await connection.execute(statement)).rowcount

    async def begin(
        self, thread: str, user: str, request: str, attachments: Sequence[Mapping[str, Any]], turn: str | None = None
    ) -> str:
        """Write down a question before it is answered; makes the thread on its first turn. Returns the turn's id."""
        turn = turn or new_id()
        engine = await self._database.open()
        async with self._lock, engine.begin() as connection:
            if await connection.scalar(sa.select(_threads.c.id).where(_threads.c.id == thread)) is None:
                title = " ".join(request.split())[:80] or "…"
                await connection.execute(
                    sa.insert(_threads).values(id=thread, user=user, title=title, created=time.time())
                )
            last = await connection.scalar(sa.select(sa.func.max(_turns.c.number)).where(_turns.c.thread == thread))
            row: dict[str, Any] = {
                "id": turn,
                "number": (last or 0) + 1,
                "thread": thread,
                "created": time.time(),
                "state": "running",
                "request": request,
                "answer": "",
                "attachments": list(attachments),
                "receipt": {},
            }
            await connection.execute(sa.insert(_turns).values(row))
        return turn

    async def save(
        self,
        turn: str,
        *,
        state: TurnState,
        tool: str | None = None,
        answer: str = "",
        receipt: Mapping[str, Any] | None = None,
    ) -> None:
        values = {"state": state, "tool": tool, "answer": answer, "receipt": dict(receipt or {})}
        async with (await self._database.open()).begin() as connection:
            await connection.execute(sa.update(_turns).where(_turns.c.id == turn).values(values))

    async def replace_from(self, turn: str, *, thread: str, but: str) -> None:
        """The turn `turn` of `thread` and all later ones except `but` no longer count: it was asked again or edited."""
        async with (await self._database.open()).begin() as connection:
            number = await connection.scalar(
                sa.select(_turns.c.number).where(_turns.c.id == turn, _turns.c.thread == thread)
            )
            if number is not None:
                later = sa.and_(_turns.c.thread == thread, _turns.c.number >= number, _turns.c.id != but)
                await connection.execute(sa.update(_turns).where(later).values(state="replaced"))

    async def turns(self, thread: str) -> list[TurnRecord]:
        """The turns that count, oldest first."""
        query = (
            sa.select(_turns).where(_turns.c.thread == thread, _turns.c.state != "replaced").order_by(_turns.c.number)
        )
        async with (await self._database.open()).connect() as connection:
            return [_record(row) for row in (await connection.execute(query)).mappings()]

    async def turn(self, turn: str) -> TurnRecord | None:
        async with (await self._database.open()).connect() as connection:
            row = (await connection.execute(sa.select(_turns).where(_turns.c.id == turn))).mappings().first()
            return _record(row) if row is not None else None

    async def owner(self, thread: str) -> str | None:
        async with (await self._database.open()).connect() as connection:
            return await connection.scalar(sa.select(_threads.c.user).where(_threads.c.id == thread))

    async def search(self, user: str, words: str, limit: int = 20) -> list[TurnRecord]:
        """Turns of `user` whose question or answer holds `words`, newest first."""
        pattern = "%" + words.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
        query = (
            sa.select(_turns)
            .join(_threads, _threads.c.id == _turns.c.thread)
            .where(_threads.c.user == user, _turns.c.state != "replaced")
            .where(_turns.c.request.ilike(pattern, escape="\\") | _turns.c.answer.ilike(pattern, escape="\\"))
            .order_by(_turns.c.created.desc())
            .limit(limit)
        )
        async with (await self._database.open()).connect() as connection:
            return [_record(row) for row in (await connection.execute(query)).mappings()]

    async def export(self, user: str, thread: str | None = None) -> list[dict[str, Any]]:
        """Every thread of `user` (or one of them) with its turns, as plain values for JSON."""
        query = sa.select(_threads).where(_threads.c.user == user).order_by(_threads.c.created)
        if thread:
            query = query.where(_threads.c.id == thread)
        async with (await self._database.open()).connect() as connection:
            threads = [dict(row) for row in (await connection.execute(query)).mappings()]
        return [{**t, "turns": [vars(turn) for turn in await self.turns(t["id"])]} for t in threads]

    async def delete_thread(self, thread: str) -> None:
        async with (await self._database.open()).begin() as connection:
            await connection.execute(sa.delete(_turns).where(_turns.c.thread == thread))
            await connection.execute(sa.delete(_threads).where(_threads.c.id == thread))

    async def close(self) -> None:
        await self._database.close()


class Database:
    """The database at `url` with `tables` made: opened on first use, and once, however many ask at the same time."""

    def __init__(self, url: str, tables: sa.MetaData) -> None:
        self._url = url
        self._tables = tables
        self._engine: AsyncEngine | None = None
        self._opening = asyncio.Lock()

    async def open(self) -> AsyncEngine:
        async with self._opening:
            if self._engine is None:
                self._engine = await open_database(self._url, self._tables)
            return self._engine

    async def close(self) -> None:
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = None


async def open_database(url: str, tables: sa.MetaData) -> AsyncEngine:
    """The database at `url` with these tables made. From then on it raises HistoryError where it cannot be reached or written."""
    engine = create_async_engine(url)
    sa.event.listen(engine.sync_engine, "handle_error", _explain)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine.sync_engine, "connect", _set_pragmas)
    try:
        async with engine.begin() as connection:
            if engine.dialect.name == "sqlite":
                await connection.exec_driver_sql("BEGIN IMMEDIATE")  # Another process may be making the same tables.
            await connection.run_sync(tables.create_all)
    except BaseException:
        await engine.dispose()
        raise
    return engine


def sqlite_url(home: Path) -> str:
    return f"sqlite+aiosqlite:///{home / 'history.db'}"


def new_id() -> str:
    """Sortable by time: 48 bits of milliseconds, then randomness (as ULID does), in Crockford's base 32."""
    value = int(time.time() * 1000) << 80 | uuid.uuid4().int & (1 << 80) - 1
    return "".join("0123456789ABCDEFGHJKMNPQRSTVWXYZ"[value >> shift & 31] for shift in range(125, -1, -5))


def _explain(context: sa.ExceptionContext) -> None:
    """Raises: HistoryError for a full or read-only disk and a database that is away; other errors are bugs and stay."""
    if isinstance(context.sqlalchemy_exception, sa.exc.OperationalError):
        raise HistoryError(
            f"The history cannot be kept: {context.original_exception}.",
            "Free some space, make the folder writable, or set ASSISTANT_HOME (or ASSISTANT_DATABASE) elsewhere.",
        )


def _set_pragmas(connection: Any, _record: Any) -> None:
    use_write_ahead_log(connection.execute)
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=10000"):
        connection.execute(f"PRAGMA {pragma}")


def _record(row: Any) -> TurnRecord:
    values = {name: row[name] for name in TurnRecord.__dataclass_fields__}
    for name in ("attachments", "receipt"):
        if isinstance(values[name], str):
            values[name] = json.loads(values[name])
    return TurnRecord(**values)
