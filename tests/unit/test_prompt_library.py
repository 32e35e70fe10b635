"""The library keeps every version, a person's own before what is shared, and what is shared before what ships."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from assistant import prompt_library
from assistant.history import HistoryError, sqlite_url
from assistant.prompt_library import PromptLibrary
from assistant.prompt_reading import read_prompt
from assistant.prompts import Prompt
from tools.engines.errors import BadInput


@pytest.fixture
async def library(tmp_path: Path) -> AsyncIterator[PromptLibrary]:
    opened = PromptLibrary(sqlite_url(tmp_path))
    yield opened
    await opened.close()


def poem(message: str = "Rhyme: {{text}}", name: str = "poem") -> Prompt:
    return read_prompt({"name": name, "message": message})


async def test_a_change_is_a_new_version_and_no_change_is_none(library: PromptLibrary) -> None:
    versions = [(await library.save(poem(text), "ada")).version for text in ("A {{text}}", "B {{text}}", "B {{text}}")]
    assert versions == [1, 2, 2]
    assert [kept.prompt.message[0] for kept in await library.versions("poem", "ada")] == ["B", "A"]
    assert (await library.find("poem", "ada", 1)).message == "A {{text}}"


async def test_ones_own_goes_before_what_is_shared_and_that_before_what_ships(library: PromptLibrary) -> None:
    shipped = await library.find("translate", "ada")
    await library.save(poem("Bob's {{text}}", "translate"), "bob", shared=True)
    shared = await library.find("translate", "ada")
    await library.save(poem("Ada's {{text}}", "translate"), "ada")
    own = await library.find("translate", "ada")
    assert [shipped.owner, shared.owner, own.owner] == ["", "bob", "ada"]
    assert [p.owner for p in await library.of("ada") if p.name == "translate"] == ["ada"]


async def test_nobody_sees_what_is_not_shared(library: PromptLibrary) -> None:
    await library.save(poem(), "ada")
    assert await library.get("poem", "bob") is None
    with pytest.raises(BadInput, match=r"no prompt poem\. There are: "):
        await library.versions("poem", "bob")
    with pytest.raises(BadInput, match="There is no prompt poem"):
        await library.remove("poem", "bob")


async def test_what_is_no_longer_shared_is_gone_for_others_in_all_versions(library: PromptLibrary) -> None:
    await library.save(poem("A {{text}}"), "ada", shared=True)
    await library.save(poem("B {{text}}"), "ada")
    assert (await library.find("poem", "bob")).version == 2
    await library.save(poem("B {{text}}"), "ada", shared=False)
    assert await library.get("poem", "bob") is None


async def test_two_cannot_share_one_name(library: PromptLibrary) -> None:
    await library.save(poem(), "ada", shared=True)
    with pytest.raises(BadInput, match="ada already shares a prompt called poem"):
        await library.save(poem("Mine {{text}}"), "bob", shared=True)


async def test_what_ships_or_is_anothers_cannot_be_removed(library: PromptLibrary) -> None:
    await library.save(poem(), "ada", shared=True)
    with pytest.raises(BadInput, match="shared by ada"):
        await library.remove("poem", "bob")
    with pytest.raises(BadInput, match="ships with the assistant"):
        await library.remove("translate", "bob")
    assert await library.remove("poem", "ada") == 1


async def test_only_shipped_prompts_of_the_language_are_listed_but_all_are_found(library: PromptLibrary) -> None:
    names = {prompt.name for prompt in await library.of("ada", "fr")}
    assert "traduire" in names and "translate" not in names
    assert (await library.find("translate", "ada")).language == "en"


async def test_several_are_kept_together_or_not_at_all(library: PromptLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_library, "MOST_KEPT", 2)
    with pytest.raises(BadInput, match="holds 2 prompts"):
        await library.save_all([poem(name=name) for name in ("a", "b", "c")], "ada")
    assert [prompt.name for prompt in await library.of("ada") if prompt.owner] == []
    assert [p.version for p in await library.save_all([poem("A {{text}}", "a"), poem("B {{text}}", "a")], "ada")] == [
        1,
        2,
    ]


async def test_saves_at_the_same_time_are_versions_one_after_the_other(library: PromptLibrary) -> None:
    others = [PromptLibrary(library._database._url) for _ in range(3)]
    saved = await asyncio.gather(
        *(one.save(poem(f"{n} {{{{text}}}}"), "ada") for n, one in enumerate((library, *others)))
    )
    assert sorted(prompt.version for prompt in saved) == [1, 2, 3, 4]
    for one in others:
        await one.close()


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="cannot be kept"):
        await PromptLibrary(sqlite_url(tmp_path / "nowhere")).save(poem(), "ada")
