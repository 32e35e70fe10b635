"""`assistant evaluate`: what is refused before anything is asked, and how."""

import json
from pathlib import Path

import pytest

from assistant.cli import call


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "home"))
    rows = [{"question": f"What is {n}?", "reference": str(n)} for n in range(12)]
    Path("d.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    Path("bad.csv").write_text("question,reference\nq,\n,a\n", "utf-8")
    Path("r.json").write_text("{}", "utf-8")
    Path("leak.jsonl").write_text('{"question": "What is 3?", "reference": "3"}', "utf-8")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("none.jsonl", "does not exist"),
        ("d.jsonl -c gpt-5-mini", "not of the form provider:model"),
        ("d.jsonl -c nowhere:m", "There is no provider 'nowhere'"),
        ("d.jsonl --candidates openai:m nowhere:m", "There is no provider 'nowhere'"),
        ("--candidates openai:m nowhere:m d.jsonl", "There is no provider 'nowhere'"),
        ("d.jsonl -c none.toml", "none.toml cannot be read"),
        ("d.jsonl -c openai:m -c openai:m", "given twice"),
        ("d.jsonl --lever two-shot", "no lever 'two-shot'"),
        ("d.jsonl --lever retrieval", "needs --collection"),
        ("d.jsonl --lever context", "rows with a context"),
        ("d.jsonl --collection nothing", "There is no collection nothing"),
        ("d.jsonl --examples leak.jsonl", "line 4: an example gives its answer away"),
        ("d.jsonl -c openai:unheard-of --cap 1", "The price of openai:unheard-of is unknown"),
        ("d.jsonl --judge nowhere:m", "There is no provider"),
        ("routing --lever context", "zero-shot, one-shot and few-shot"),
        ("diff r.json r.json", "no report of an evaluation"),
        ("make -o x.jsonl", "one of the two"),
        ("make -o d.jsonl --from-chat", "is there already"),
        ("make -o x.jsonl --from-chat", "No conversation has been kept"),
        ("make -o x.jsonl --from-documents none", "There is no collection none"),
    ],
)
def test_mistakes_are_told_in_a_line_with_status_2(words: str, part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["evaluate", *words.split()]) == 2
    shown = capsys.readouterr()
    assert part in shown.err and not shown.out
    assert not list(Path().rglob("report.*"))


def test_every_problem_of_a_data_set_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["evaluate", "bad.csv"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "bad.csv: line 2: it has no reference, the right answer.",
        "bad.csv: line 3: it has no question.",
    ]
