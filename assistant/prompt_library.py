"""The library of prompts: those that ship, and those that people keep, each version of them. Kept per user beside the history.

A person's own prompt goes before one of the same name that somebody shares, and that before one that ships.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from assistant.history import Database, new_id
from assistant.prompt_reading import read_prompt, read_prompts
from assistant.prompts import Prompt
from tools.engines.errors import BadInput

SHIPPED = Path(__file__).parent / "data" / "prompts.toml"
NOT_YOURS = "It cannot be removed; one of your own by that name goes before it."
TRIES = 10
MOST_KEPT = 500
"""Of one person."""

_metadata = sa.MetaData()
_prompts = sa.Table(
    "assistant_prompts",
    _metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("owner", sa.String, nullable=False, index=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("shared", sa.Boolean, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.UniqueConstraint("owner", "name", "version"),
)


@dataclass(frozen=True)
class Kept:
    """One version of a prompt, and its Unix time; 0 for what ships."""

    prompt: Prompt
    created: float


class PromptLibrary:
    """Safe to use from one event loop; several processes may share the database.

    Every method raises HistoryError where the database cannot be reached or written.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url, _metadata)

    async def of(self, user: str, language: str = "") -> list[Prompt]:
        """The newest version of all that `user` can use, by name. Those that ship are left out where they are of another language."""
        shipped = [prompt for prompt in shipped_prompts() if not language or prompt.language == language]
        found = {prompt.name: prompt for prompt in shipped}
        for kept in sorted(await self._newest(user), key=lambda one: one.prompt.owner == user):
            found[kept.prompt.name] = kept.prompt
        return sorted(found.values(), key=lambda prompt: prompt.name)

    async def find(self, name: str, user: str, version: int | None = None) -> Prompt:
        """Raises: BadInput where there is none."""
        if (prompt := await self.get(name, user, version)) is None:
            there = ", ".join(prompt.name for prompt in await self.of(user)) or "none yet"
            no_version = f"There is no version {version} of the prompt {name}."
            raise BadInput(no_version if version else f"There is no prompt {name}.", f"There are: {there}.")
        return prompt

    async def get(self, name: str, user: str, version: int | None = None) -> Prompt | None:
        name = name.lower()
        kept = [one.prompt for one in await self._newest(user) if one.prompt.name == name]
        prompt = next((one for one in kept if one.owner == user), None) or (kept[0] if kept else None)
        if prompt is None:
            shipped = next((one for one in shipped_prompts() if one.name == name), None)
            return shipped if not version else None
        if version in (None, prompt.version):
            return prompt
        return next((one.prompt for one in await self._all_of(prompt) if one.prompt.version == version), None)

    async def versions(self, name: str, user: str) -> list[Kept]:
        """The newest first. Raises: BadInput where there is none."""
        prompt = await self.find(name, user)
        return await self._all_of(prompt) if prompt.owner else [Kept(prompt, 0.0)]

    async def save(self, prompt: Prompt, user: str, shared: bool | None = None) -> Prompt:
        """As the next version of the person's own. What has not changed stays the version it is; `shared` None leaves that as it was.

        Raises: BadInput.
        """
        (saved,) = await self.save_all([prompt], user, shared)
        return saved

    async def save_all(self, prompts: Sequence[Prompt], user: str, shared: bool | None = None) -> list[Prompt]:
        """Each as `save` does, or none of them. Raises: BadInput."""
        engine = await self._database.open()
        tries = 0
        while True:
            try:
                async with engine.begin() as connection:
                    return [await self._save(connection, prompt, user, shared) for prompt in prompts]
            except sa.exc.IntegrityError:  # Somebody saved the same version at the same time: this is the next one.
                tries += 1
                if tries == TRIES:
                    raise

    async def _save(self, connection: Any, prompt: Prompt, user: str, shared: bool | None) -> Prompt:
        own = sa.and_(_prompts.c.owner == user, _prompts.c.name == prompt.name)
        query = sa.select(_prompts).where(own).order_by(_prompts.c.version.desc()).limit(1)
        row = (await connection.execute(query)).mappings().first()
        before = _kept(row).prompt if row else None
        share = (before.shared if before else False) if shared is None else shared
        if share and not (before and before.shared):
            await self._check_free(connection, prompt.name, user)
        if before and before.as_json() == prompt.as_json():
            await connection.execute(sa.update(_prompts).where(own).values(shared=share))
            return replace(before, shared=share)
        if before is None and await connection.scalar(_count_of(user)) >= MOST_KEPT:
            raise BadInput(f"The library holds {MOST_KEPT} prompts of yours.", "Remove some first.")
        new = replace(prompt, owner=user, version=before.version + 1 if before else 1, shared=share)
        values = {"name": new.name, "version": new.version, "created": time.time(), "body": new.as_json()}
        await connection.execute(sa.insert(_prompts).values(id=new_id(), owner=user, shared=share, **values))
        await connection.execute(sa.update(_prompts).where(own).values(shared=share))
        return new

    async def remove(self, name: str, user: str) -> int:
        """How many versions went. Raises: BadInput where the prompt is not the person's own."""
        prompt = await self.find(name, user)
        if prompt.owner != user:
            shared = f"{prompt.name} is shared by {prompt.owner}."
            raise BadInput(shared if prompt.owner else f"{prompt.name} ships with the assistant.", NOT_YOURS)
        return await self._delete(sa.and_(_prompts.c.owner == user, _prompts.c.name == prompt.name))

    async def close(self) -> None:
        await self._database.close()

    async def _delete(self, which: Any) -> int:
        async with (await self._database.open()).begin() as connection:
            return (await connection.execute(sa.delete(_prompts).where(which))).rowcount

    async def _newest(self, user: str) -> list[Kept]:
        """One of each owner and name: the person's own and what is shared, the oldest share first."""
        query = sa.select(_prompts).where(sa.or_(_prompts.c.owner == user, _prompts.c.shared))
        return list(_last_versions(await self._rows(query.order_by(_prompts.c.created))))

    async def _all_of(self, prompt: Prompt) -> list[Kept]:
        which = sa.and_(_prompts.c.owner == prompt.owner, _prompts.c.name == prompt.name)
        return [
            _kept(row) for row in await self._rows(sa.select(_prompts).where(which).order_by(_prompts.c.version.desc()))
        ]

    async def _rows(self, query: Any) -> list[Mapping[str, Any]]:
        async with (await self._database.open()).connect() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    async def _check_free(self, connection: Any, name: str, user: str) -> None:
        which = sa.and_(_prompts.c.name == name, _prompts.c.shared, _prompts.c.owner != user)
        if other := await connection.scalar(sa.select(_prompts.c.owner).where(which)):
            raise BadInput(f"{other} already shares a prompt called {name}.", "Give yours another name.")


@cache
def shipped_prompts() -> tuple[Prompt, ...]:
    return tuple(read_prompts(SHIPPED.read_text("utf-8"), SHIPPED.name))


def _last_versions(rows: Iterable[Mapping[str, Any]]) -> Iterable[Kept]:
    newest: dict[tuple[str, str], Mapping[str, Any]] = {}
    for row in rows:
        place = row["owner"], row["name"]
        if place not in newest or row["version"] > newest[place]["version"]:
            newest[place] = row
    return map(_kept, newest.values())


def _count_of(user: str) -> Any:
    return sa.select(sa.func.count(sa.distinct(_prompts.c.name))).where(_prompts.c.owner == user)


def _kept(row: Any) -> Kept:
    body = json.loads(row["body"]) if isinstance(row["body"], str) else row["body"]
    prompt = replace(read_prompt(body), owner=row["owner"], version=row["version"], shared=bool(row["shared"]))
    return Kept(prompt, row["created"])
