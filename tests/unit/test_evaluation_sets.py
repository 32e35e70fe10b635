"""Data sets under review: what came is kept, what is wrong waits, and changes at the same time do not undo each other."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from assistant.evaluation.dataset import read_dataset, read_lines
from assistant.evaluation.sets import Change, DataSets, SetError, SetInfo


def brought(sets: DataSets, *rows: object, name: str = "gates.jsonl") -> SetInfo:
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    return sets.create(name, read_lines(name, text.encode()), "file")


@pytest.fixture
def sets(tmp_path: Path) -> DataSets:
    return DataSets(tmp_path)


def row(question: str = "Which gate?", reference: str = "North", **more: object) -> dict[str, object]:
    return {"question": question, "reference": reference, **more}


def test_right_rows_are_accepted_and_wrong_ones_wait_until_they_are_corrected(sets: DataSets) -> None:
    info = brought(sets, row(), row(reference=""), "no row at all")
    assert (info.rows, info.accepted, info.faulty) == (3, 1, 2)
    faulty, count = sets.rows(info.id, "faulty")
    assert count == 2 and faulty[1].raw == "no row at all"
    refused = sets.change(info.id, faulty[0].key, Change(state="accepted"))
    assert refused.state == "open" and refused.problems
    assert sets.change(info.id, faulty[0].key, Change("accepted", reference="South")).state == "accepted"
    assert sets.change(info.id, faulty[1].key, Change("dropped")).state == "dropped"
    assert [json.loads(line)["reference"] for line in sets.export(info.id).splitlines()] == ["North", "South"]


def test_a_change_leaves_what_it_does_not_name(sets: DataSets) -> None:
    info = brought(sets, row(tags=["a"]))
    (entry,), _ = sets.rows(info.id)
    sets.change(info.id, entry.key, Change(question="Which door?"))
    sets.change(info.id, entry.key, Change("accepted", reference="West"))
    (entry,), _ = sets.rows(info.id)
    assert entry.values == {"question": "Which door?", "reference": "West", "tags": ["a"]}


def test_half_a_character_is_shown_and_scored_like_any_other(sets: DataSets, tmp_path: Path) -> None:
    info = brought(sets, '{"question": "Nice \\ud83d", "reference": "yes"}')
    (entry,), _ = sets.rows(info.id)
    assert json.dumps(entry.values, ensure_ascii=False).encode() and entry.values["question"].startswith("Nice ")
    sets.snapshot(info.id, tmp_path / "data.jsonl")
    assert len(read_dataset(tmp_path / "data.jsonl").rows) == 1


def ids(sets: DataSets, info: SetInfo, path: Path) -> Iterable[str]:
    sets.snapshot(info.id, path)
    return [found.id for found in sets.accepted(info.id, path, info.name).rows]


def test_a_row_without_an_id_keeps_the_number_of_its_line(sets: DataSets, tmp_path: Path) -> None:
    info = brought(sets, row("A?"), row("B?", id=None), row("C?"))
    (first, *_), _ = sets.rows(info.id)
    assert ids(sets, info, tmp_path / "data.jsonl") == ["row-1", "row-2", "row-3"]
    sets.change(info.id, first.key, Change("dropped"))
    assert ids(sets, info, tmp_path / "data.jsonl") == ["row-2", "row-3"]


def test_what_was_asked_for_can_go_on_when_its_set_is_gone(sets: DataSets, tmp_path: Path) -> None:
    info = brought(sets, row())
    sets.snapshot(info.id, tmp_path / "data.jsonl")
    sets.delete(info.id)
    assert sets.accepted(info.id, tmp_path / "data.jsonl", info.name).name == "gates.jsonl"
    with pytest.raises(SetError, match="no such data set"):
        sets.find(info.id)


def test_a_set_that_cannot_be_written_whole_leaves_nothing(sets: DataSets, tmp_path: Path) -> None:
    def lines() -> Iterable[object]:
        yield from read_lines("a.jsonl", json.dumps(row()).encode())
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        sets.create("a", lines(), "file")  # type: ignore[arg-type]
    assert sets.all() == [] and list((tmp_path / "datasets").iterdir()) == []


@pytest.mark.parametrize("name", ["../other", "", "a/b", "."])
def test_a_name_leads_out_of_no_folder(sets: DataSets, name: str) -> None:
    with pytest.raises(SetError, match="no such data set"):
        sets.find(name)
