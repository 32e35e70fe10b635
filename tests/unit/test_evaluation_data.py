"""Data sets: what is read, what is refused and how that is said; the rows that examples come from."""

import json
from pathlib import Path

import numpy as np
import pytest

from assistant.candidates import Candidate
from assistant.evaluation.dataset import Dataset, DatasetError, Row, read_dataset
from assistant.evaluation.levers import Setup, check_examples, context_of, possible_levers, split, with_examples
from assistant.settings import SettingsError


def read(folder: Path, text: str, name: str = "d.jsonl", **options: bool) -> Dataset:
    (folder / name).write_text(text, "utf-8")
    return read_dataset(folder / name, **options)


def lines(*rows: dict[str, object]) -> str:
    return "\n".join(json.dumps(row) for row in rows)


def test_json_lines_are_read_with_all_that_they_may_hold(tmp_path: Path) -> None:
    row = {
        "id": 7,
        "question": "q",
        "reference": 3,
        "context": ["a", "b"],
        "tags": "x, y",
        "schema": {"type": "object"},
    }
    (found,) = read(tmp_path, "\ufeff" + lines({**row, "answer": "4", "mark": "down", "page": 2}) + "\n\n").rows
    assert (found.id, found.reference, found.context, found.tags) == ("7", "3", ("a", "b"), ("x", "y"))
    assert (found.mark, found.schema) == (0.0, {"type": "object"})
    assert read_dataset(tmp_path / "d.jsonl").ignored == ("page",)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_is_read_whatever_separates_it(tmp_path: Path, separator: str) -> None:
    text = "Question,Reference,tags\n" + '"One, two; three\nfour?",4,a\n5?,five,\n'
    if separator != ",":
        text = text.replace("One, two; three", "One").replace(",", separator)
    first, second = read(tmp_path, text, "d.csv").rows
    assert (first.reference, first.tags, second.question) == ("4", ("a",), "5?")
    assert "\n" in first.question


def test_all_that_is_wrong_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    text = "\n".join(
        [
            '{"question": "q", "reference": "a", "id": "1"}',
            "{broken",
            '["list"]',
            '{"question": "q"}',
            '{"question": "", "reference": "a"}',
            '{"question": 3, "reference": "a"}',
            '{"question": "q", "reference": "a", "id": "1"}',
            '{"question": "q", "reference": "a", "schema": {"type": "nonsense"}}',
            '{"question": "q", "reference": "a", "mark": 2, "answer": "b"}',
            '{"question": "q", "reference": "a", "mark": 1}',
            '{"reference": "a", "audio": "none.wav"}',
        ]
    )
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, text)
    told = "\n".join(caught.value.problems)
    for part in (
        "line 2 is not JSON at character 2",
        "line 3 is a list",
        "line 4: it has no reference",
        "line 5: it has no question",
        "line 6: question is a number, not text",
        "line 7 has the id '1' of line 1",
        "line 8: schema is no JSON schema",
        "line 9: mark is 2",
        "line 10: it has a mark, but not the answer",
        "line 11: there is no recording none.wav",
    ):
        assert part in told


def test_twenty_problems_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, "{\n" * 30)
    assert len(caught.value.problems) == 21 and "10 more" in caught.value.problems[-1]


@pytest.mark.parametrize(("text", "part"), [("", "it is empty"), ("question,reference\n", "it is empty")])
def test_an_empty_set_is_refused(tmp_path: Path, text: str, part: str) -> None:
    with pytest.raises(DatasetError, match=part):
        read(tmp_path, text, "d.csv" if text else "d.jsonl")


def test_bytes_that_are_no_utf8_are_told_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_bytes(b'{"question": "q", "reference": "a"}\n{"question": "\xe9"}')
    with pytest.raises(DatasetError, match="line 2 is not UTF-8"):
        read_dataset(tmp_path / "d.jsonl")


def test_rows_that_nobody_reviewed_are_refused_unless_wanted(tmp_path: Path) -> None:
    text = lines({"question": "q", "reference": "a", "reviewed": False}, {"question": "r", "reference": "b"})
    with pytest.raises(DatasetError, match="1 of 2 rows say that nobody has looked"):
        read(tmp_path, text)
    assert read(tmp_path, text, unreviewed=True).unreviewed == 1


def dataset(count: int, **same: str) -> Dataset:
    rows = [Row(f"r{n}", f"What is number {n}?", same.get("reference", str(n)), line=n) for n in range(count)]
    return Dataset("d.jsonl", tuple(rows), "")


def test_rows_for_examples_are_never_scored_and_the_seed_decides_which() -> None:
    one, again, other = (split(dataset(50), ["few-shot"], None, seed) for seed in (0, 0, 1))
    assert one == again and one != other
    assert len(one.pool) == 10 and not {r.id for r in one.pool} & {r.id for r in one.scored}


def test_without_examples_every_row_is_scored() -> None:
    assert len(split(dataset(5), ["zero-shot", "context"], None, 0).scored) == 5


def test_a_question_among_the_examples_is_refused() -> None:
    with pytest.raises(DatasetError, match="line 3: an example gives its answer away"):
        split(dataset(5), ["few-shot"], Dataset("e.jsonl", (Row("x", "what is NUMBER 3", "three"),), ""), 0)


def test_a_telling_reference_among_the_examples_is_refused_but_a_label_is_not() -> None:
    long = "The tower of Arwick is thirty metres high"
    scored = Dataset("d.jsonl", (Row("a", "How high is it?", long, line=1), Row("b", "q", "yes", line=2)), "")
    with pytest.raises(DatasetError, match="line 1"):
        split(scored, ["few-shot"], Dataset("e", (Row("x", "Tell me", f"Well: {long}."),), ""), 0)
    assert split(scored, ["few-shot"], Dataset("e", (Row("x", "Another", "yes"),), ""), 0).pool


def test_a_candidates_own_examples_may_not_leak_either() -> None:
    with pytest.raises(SettingsError, match="give away line 2"):
        check_examples([Candidate("a:b", examples=(("What is number 2?", "2"),))], dataset(5).rows)


def test_examples_are_the_most_similar_rows_with_the_best_one_last() -> None:
    found = split(dataset(10), ["few-shot"], dataset_of("e", "near", "far", "nearest"), 0)
    likeness = {"r1": np.array([0.5, 0.1, 0.9])}
    few = with_examples(Setup("s", Candidate("a:b"), "few-shot"), found.scored[1], found, likeness, k=2)
    one = with_examples(Setup("s", Candidate("a:b"), "one-shot"), found.scored[1], found, likeness, k=2)
    assert [q for q, _ in few.examples] == ["near", "nearest"] and [q for q, _ in one.examples] == ["nearest"]


def dataset_of(name: str, *questions: str) -> Dataset:
    return Dataset(name, tuple(Row(q, q, "a") for q in questions), "")


def test_levers_follow_what_the_data_holds() -> None:
    assert possible_levers(dataset(5), "", False) == ["zero-shot"]
    with_context = Dataset("d", (*dataset(10).rows, Row("c", "q", "a", context=("It is so.",))), "")
    assert possible_levers(with_context, "shared", False) == [
        "zero-shot",
        "one-shot",
        "few-shot",
        "context",
        "retrieval",
    ]
    assert context_of(with_context.rows[-1])[0].text == "It is so."
