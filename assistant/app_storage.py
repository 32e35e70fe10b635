"""What the page remembers: threads, steps, elements and feedback, in the same database as the history; files beside it.

Steps and elements are kept as JSON, so that lists and dicts bind on every database. Writes of one thread go through one lock
in the order they were made, a thread is never without an owner, and a deleted thread stays deleted.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from chainlit.context import context
from chainlit.data.base import BaseDataLayer
from chainlit.types import Feedback, PageInfo, PaginatedResponse, Pagination, ThreadDict, ThreadFilter
from chainlit.user import PersistedUser, User
from chainlit.utils import utc_now
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from assistant.history import Database
from knowledge.kept_files import link

_metadata = sa.MetaData()
_users = sa.Table(
    "page_users",
    _metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("identifier", sa.String, nullable=False, unique=True),
    sa.Column("created", sa.String, nullable=False),
    sa.Column("metadata", sa.JSON, nullable=False),
)
_threads = sa.Table(
    "page_threads",
    _metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("user", sa.String, nullable=False, index=True),
    sa.Column("user_identifier", sa.String, nullable=False),
    sa.Column("created", sa.String, nullable=False),
    sa.Column("updated", sa.String, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("tags", sa.JSON, nullable=False),
    sa.Column("metadata", sa.JSON, nullable=False),
)
_steps = sa.Table(
    "page_steps",
    _metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String, nullable=False, unique=True),
    sa.Column("thread", sa.String, nullable=False, index=True),
    sa.Column("created", sa.String, nullable=False),
    sa.Column("output", sa.Text, nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
)
_elements = sa.Table(
    "page_elements",
    _metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("thread", sa.String, nullable=False, index=True),
    sa.Column("for_id", sa.String, nullable=False),
    sa.Column("file", sa.String, nullable=False),
    sa.Column("mime", sa.String, nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
)
_feedback = sa.Table(
    "page_feedback",
    _metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("for_id", sa.String, nullable=False, index=True),
    sa.Column("thread", sa.String, nullable=False, index=True),
    sa.Column("value", sa.Integer, nullable=False),
    sa.Column("comment", sa.Text),
)
_passages = sa.Table(
    "page_passages",
    _metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("thread", sa.String, nullable=False, index=True),
    sa.Column("data", sa.JSON, nullable=False),
)
OnDelete = Callable[[str], Awaitable[None]]
THREAD = re.compile(r"[\w-]{1,64}", re.ASCII)
"""What names a conversation; it becomes a folder, so no name may lead out of one."""


class PageStore(BaseDataLayer):  # type: ignore[misc]
    def __init__(self, url: str, files: Path) -> None:
        """`files` is the folder for uploads and results; `on_delete` is told of each thread that goes."""
        self._database = Database(url, _metadata)
        self._files = files
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._deleted: set[str] = set()
        self.on_delete: OnDelete | None = None

    async def open(self) -> AsyncEngine:
        return await self._database.open()

    async def close(self) -> None:
        await self._database.close()

    async def build_debug_url(self) -> str:
        return ""

    # People

    async def get_user(self, identifier: str) -> PersistedUser | None:
        row = await self._first(sa.select(_users).where(_users.c.identifier == identifier))
        return PersistedUser(id=row["id"], createdAt=row["created"], identifier=identifier) if row else None

    async def create_user(self, user: User) -> PersistedUser | None:
        async with self._locks["users"]:
            if await self.get_user(user.identifier) is None:
                values = {"id": str(uuid.uuid4()), "identifier": user.identifier, "created": utc_now(), "metadata": {}}
                await self._write(sa.insert(_users).values(values))
        return await self.get_user(user.identifier)

    # Threads

    async def get_thread_author(self, thread_id: str) -> str:
        """Nobody's where there is none, or where the name could be none's."""
        if not THREAD.fullmatch(thread_id):
            return ""
        row = await self._first(sa.select(_threads).where(_threads.c.id == thread_id))
        return str(row["user_identifier"]) if row else ""

    async def threads_of(self, identifier: str) -> set[str]:
        """The ids of a person's threads."""
        return {
            r["id"] for r in await self._all(sa.select(_threads.c.id).where(_threads.c.user_identifier == identifier))
        }

    async def update_thread(
        self,
        thread_id: str,
        name: str | None = None,
        user_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        tags: list[str] | None = None,
    ) -> None:
        """Changes what is given. Without an owner no thread is made: one that was deleted does not come back."""
        async with self._locks[thread_id]:
            row = await self._thread_row(thread_id, user_id)
            if row is None:
                return
            values: dict[str, Any] = {"updated": utc_now()}
            if name:
                values["name"] = " ".join(name.split())[:200]
            if tags is not None:
                values["tags"] = tags
            if metadata is not None:
                merged = {**row["metadata"], **metadata}
                values["metadata"] = {k: v for k, v in merged.items() if v is not None}
            await self._write(sa.update(_threads).where(_threads.c.id == thread_id).values(values))

    async def delete_thread(self, thread_id: str) -> None:
        """Its rows and its files. Raises: ValueError for a name that could be no thread's."""
        folder = thread_folder(self._files, thread_id)
        async with self._locks[thread_id]:
            self._deleted.add(thread_id)
            async with (await self.open()).begin() as connection:
                for table in (_feedback, _passages, _elements, _steps):
                    await connection.execute(sa.delete(table).where(table.c.thread == thread_id))
                await connection.execute(sa.delete(_threads).where(_threads.c.id == thread_id))
            await asyncio.to_thread(shutil.rmtree, folder, True)
        if self.on_delete is not None:
            await self.on_delete(thread_id)

    async def list_threads(self, pagination: Pagination, filters: ThreadFilter) -> PaginatedResponse[ThreadDict]:
        query = sa.select(_threads).where(_threads.c.user == filters.userId).order_by(_threads.c.updated.desc())
        if filters.search:
            pattern = "%" + filters.search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            said = sa.select(_steps.c.thread).where(_steps.c.output.ilike(pattern, escape="\\"))
            query = query.where(_threads.c.name.ilike(pattern, escape="\\") | _threads.c.id.in_(said))
        rows = await self._all(query)
        ids = [row["id"] for row in rows]
        start = ids.index(pagination.cursor) + 1 if pagination.cursor in ids else 0
        page = rows[start : start + pagination.first]
        more = PageInfo(
            hasNextPage=len(rows) > start + len(page),
            startCursor=page[0]["id"] if page else None,
            endCursor=page[-1]["id"] if page else None,
        )
        return PaginatedResponse(pageInfo=more, data=[_thread_dict(row, [], []) for row in page])

    async def get_thread(self, thread_id: str) -> ThreadDict | None:
        row = await self._first(sa.select(_threads).where(_threads.c.id == thread_id))
        if row is None:
            return None
        order = (_steps.c.created, _steps.c.number)
        steps = await self._all(sa.select(_steps).where(_steps.c.thread == thread_id).order_by(*order))
        given = await self._all(sa.select(_feedback).where(_feedback.c.thread == thread_id))
        elements = await self._all(sa.select(_elements).where(_elements.c.thread == thread_id))
        opinions = {f["for_id"]: _feedback_dict(f) for f in given}
        return _thread_dict(
            row,
            [{**s["data"], "feedback": opinions.get(s["id"])} for s in steps],
            [{**e["data"], "url": file_url(e["id"]), "forId": e["for_id"]} for e in elements],
        )

    # Steps

    async def create_step(self, step_dict: Mapping[str, Any]) -> None:
        await self.update_step(step_dict)

    async def update_step(self, step_dict: Mapping[str, Any]) -> None:
        thread = step_dict["threadId"]
        values = {
            "thread": thread,
            "created": step_dict.get("createdAt") or utc_now(),
            "output": str(step_dict.get("output") or ""),
            "data": {**step_dict, "streaming": False},
        }
        async with self._locks[thread]:
            if await self._thread_row(thread, _session_user()) is None:
                return
            async with (await self.open()).begin() as connection:
                await _upsert(connection, _steps, step_dict["id"], values)

    async def delete_step(self, step_id: str) -> None:
        """Only in the conversation that is open: the browser chooses the ids of its messages."""
        row = await self._first(sa.select(_steps).where(_steps.c.id == step_id))
        if row is not None and row["thread"] == context.session.thread_id:
            await self._delete_steps(row["thread"], [step_id])

    async def delete_after(self, thread: str, step_id: str) -> None:
        """Everything that followed a step goes: it was edited or is asked again."""
        first = await self._first(sa.select(_steps).where(_steps.c.id == step_id, _steps.c.thread == thread))
        if first is None:
            return
        rows = await self._all(sa.select(_steps.c.id, _steps.c.created).where(_steps.c.thread == thread))
        await self._delete_steps(
            thread, [r["id"] for r in rows if r["created"] >= first["created"] and r["id"] != step_id]
        )

    async def step(self, step_id: str) -> dict[str, Any] | None:
        row = await self._first(sa.select(_steps).where(_steps.c.id == step_id))
        return dict(row["data"]) if row else None

    async def _delete_steps(self, thread: str, ids: list[str]) -> None:
        async with self._locks[thread]:
            shown = _elements.c.for_id.in_(ids) & (_elements.c.thread == thread)
            elements = await self._all(sa.select(_elements).where(shown))
            async with (await self.open()).begin() as connection:
                await connection.execute(sa.delete(_feedback).where(_feedback.c.for_id.in_(ids)))
                await connection.execute(sa.delete(_elements).where(shown))
                await connection.execute(sa.delete(_steps).where(_steps.c.id.in_(ids)))
            for element in elements:
                (self._files / element["file"]).unlink(missing_ok=True)

    # Elements

    async def keep(self, path: Path, element: Mapping[str, Any], thread: str) -> Path:
        """A file of the thread under a lasting path (a hard link where that works). Asking twice keeps it once.

        Raises: ValueError for a name that leads out of the thread's folder.
        """
        kept = thread_folder(self._files, thread) / f"{element['id']}{path.suffix.lower()}"
        if kept.name != f"{element['id']}{path.suffix.lower()}":
            raise ValueError(f"{element['id']!r} cannot name a file.")
        await asyncio.to_thread(link, path, kept)
        values = {
            "thread": thread,
            "for_id": element.get("forId") or "",
            "file": str(kept.relative_to(self._files)),
            "mime": element.get("mime") or "application/octet-stream",
            "data": {k: v for k, v in element.items() if k not in ("path", "chainlitKey", "content")},
        }
        async with self._locks[thread]:
            if await self._thread_row(thread, _session_user()) is not None:
                async with (await self.open()).begin() as connection:
                    await _upsert(connection, _elements, element["id"], values)
        return kept

    async def create_element(self, element: Any) -> None:
        """Called by Chainlit for each element it sends. A file sent by `url` was kept before; only its message is new."""
        if not element.for_id:
            return
        if element.path:
            await self.keep(Path(element.path), element.to_dict(), element.thread_id)
        else:
            own = (_elements.c.id == element.id) & (_elements.c.thread == element.thread_id)
            await self._write(sa.update(_elements).where(own).values(for_id=element.for_id))

    async def get_element(self, thread_id: str, element_id: str) -> Any:
        row = await self._first(
            sa.select(_elements).where(_elements.c.id == element_id, _elements.c.thread == thread_id)
        )
        return {**row["data"], "url": file_url(element_id), "forId": row["for_id"]} if row else None

    async def delete_element(self, element_id: str, thread_id: str | None = None) -> None:
        row = await self._first(
            sa.select(_elements).where(_elements.c.id == element_id, _elements.c.thread == thread_id)
        )
        if row is not None:
            await self._write(sa.delete(_elements).where(_elements.c.id == element_id))
            (self._files / row["file"]).unlink(missing_ok=True)

    async def file(self, element_id: str) -> tuple[Path, str, str, str] | None:
        """(path, mime type, name, thread) of an element."""
        row = await self._first(sa.select(_elements).where(_elements.c.id == element_id))
        if row is None:
            return None
        return self._files / row["file"], row["mime"], row["data"].get("name") or "file", row["thread"]

    async def named_file(self, thread: str, name: str) -> Path | None:
        """The file of a thread that was dropped under this name, the newest one."""
        rows = await self._all(sa.select(_elements).where(_elements.c.thread == thread))
        files = [self._files / row["file"] for row in rows if row["data"].get("name") == name]
        return files[-1] if files else None

    # Passages that answers cite

    async def keep_passage(self, passage_id: str, thread: str, data: Mapping[str, Any]) -> None:
        await self._write(sa.insert(_passages).values(id=passage_id, thread=thread, data=dict(data)))

    async def passage(self, passage_id: str) -> tuple[str, dict[str, Any]] | None:
        """(thread, what was kept)."""
        row = await self._first(sa.select(_passages).where(_passages.c.id == passage_id))
        return (row["thread"], dict(row["data"])) if row else None

    # Feedback

    async def upsert_feedback(self, feedback: Feedback) -> str:
        row = await self._first(sa.select(_steps).where(_steps.c.id == feedback.forId))
        if row is None:
            raise LookupError(f"There is no answer {feedback.forId}.")
        given = asdict(feedback)
        values = {
            "for_id": given["forId"],
            "thread": row["thread"],
            "value": given["value"],
            "comment": given["comment"],
        }
        known = await self._first(sa.select(_feedback).where(_feedback.c.for_id == feedback.forId))
        feedback_id = str(known["id"]) if known else str(uuid.uuid4())
        async with (await self.open()).begin() as connection:
            await _upsert(connection, _feedback, feedback_id, values)
        return feedback_id

    async def delete_feedback(self, feedback_id: str) -> bool:
        await self._write(sa.delete(_feedback).where(_feedback.c.id == feedback_id))
        return True

    async def feedback_thread(self, feedback_id: str) -> str | None:
        row = await self._first(sa.select(_feedback).where(_feedback.c.id == feedback_id))
        return row["thread"] if row else None

    async def get_favorite_steps(self, user_id: str) -> list[Any]:
        return []

    # Rows

    async def _thread_row(self, thread_id: str, user_id: str | None) -> Mapping[str, Any] | None:
        """The thread's row, made for `user_id` if it is new. The caller holds the thread's lock."""
        if thread_id in self._deleted:
            return None
        query = sa.select(_threads).where(_threads.c.id == thread_id)
        row = await self._first(query)
        if row is None and user_id:
            owner = await self._first(sa.select(_users).where(_users.c.id == user_id))
            if owner is not None:
                now = utc_now()
                values = {"id": thread_id, "user": user_id, "user_identifier": owner["identifier"], "name": ""}
                await self._write(sa.insert(_threads).values(**values, created=now, updated=now, tags=[], metadata={}))
                row = await self._first(query)
        return row

    async def _first(self, query: Any) -> Mapping[str, Any] | None:
        async with (await self.open()).connect() as connection:
            row = (await connection.execute(query)).mappings().first()
            return dict(row) if row else None

    async def _all(self, query: Any) -> list[Mapping[str, Any]]:
        async with (await self.open()).connect() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    async def _write(self, statement: Any) -> None:
        async with (await self.open()).begin() as connection:
            await connection.execute(statement)


def thread_folder(root: Path, thread: str) -> Path:
    """Where the files of a conversation lie below `root`. Raises: ValueError for a name that could lead elsewhere."""
    if not THREAD.fullmatch(thread):
        raise ValueError(f"{thread!r} cannot name a conversation.")
    return root / thread


def file_url(element_id: str) -> str:
    return f"/files/{element_id}"


async def _upsert(connection: AsyncConnection, table: sa.Table, row_id: str, values: Mapping[str, Any]) -> None:
    """Raises: IntegrityError for the id of a row in another thread."""
    own = (table.c.id == row_id) & (table.c.thread == values["thread"])
    changed = await connection.execute(sa.update(table).where(own).values(dict(values)))
    if not changed.rowcount:
        await connection.execute(sa.insert(table).values(id=row_id, **values))


def _session_user() -> str | None:
    """The id of who is talking; None before their first message, when nothing is worth keeping yet."""
    session = context.session
    user = getattr(session, "user", None)
    return user.id if getattr(session, "has_first_interaction", False) and isinstance(user, PersistedUser) else None


def _thread_dict(row: Mapping[str, Any], steps: list[Any], elements: list[Any]) -> ThreadDict:
    return ThreadDict(
        id=row["id"],
        createdAt=row["updated"],
        name=row["name"] or None,
        userId=row["user"],
        userIdentifier=row["user_identifier"],
        tags=row["tags"],
        metadata=row["metadata"],
        steps=steps,
        elements=elements,
    )


def _feedback_dict(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": row["id"], "forId": row["for_id"], "value": row["value"], "comment": row["comment"]}
