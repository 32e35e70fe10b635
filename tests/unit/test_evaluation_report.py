"""The report: nothing a model said is markup in it, it needs nothing else, and two of them can be compared."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from assistant.candidates import Candidate
from assistant.evaluation.calls import Outcome
from assistant.evaluation.compare_reports import compare_reports
from assistant.evaluation.dataset import Dataset, Row
from assistant.evaluation.evaluate import write_report
from assistant.evaluation.levers import Setup, Split
from assistant.evaluation.recommendation import Measured, recommend
from assistant.evaluation.report import TEMPLATE, render
from assistant.evaluation.report_words import WORDS, in_language
from assistant.evaluation.results import Report, as_json, build_report, load_json
from assistant.evaluation.run import Plan, Results
from assistant.evaluation.scores import SCORES
from assistant.settings import SettingsError
from tests.evaluations import HOSTILE, report


class Seen(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_hostile_words_of_models_documents_and_data_are_only_words() -> None:
    html = render(as_json(report(hostile=HOSTILE, name=f"b {HOSTILE}", judge=Candidate("openai:j", name="j"))))
    seen = Seen(html)
    assert not {tag for tag, _ in seen.tags} & {"script", "img", "iframe", "object", "link", "base", "form"}
    assert sum(tag == "svg" for tag, _ in seen.tags) == 1
    assert not [name for _, attrs in seen.tags for name in attrs if name.startswith("on")]
    assert "{{ 7*7 }}" in html and "\x00" not in html and "\u202e" not in html


def test_the_file_needs_nothing_else_and_says_so_to_the_browser() -> None:
    html = render(as_json(report()))
    assert "default-src 'none'" in html
    assert not [attrs for _, attrs in Seen(html).tags if {"src", "href", "style"} & attrs.keys()]
    assert "@import" not in html and "url(" not in html


def test_it_tells_what_to_take_what_is_unknown_and_what_failed() -> None:
    made = report(right=10)
    html = render(as_json(made))
    assert made.recommendation.setup == "large"
    assert "all others are measurably worse" in html and "unknown" in html
    assert "small failed 1 of 20 times (1 Unreachable)" in html and "measurably worse" in html
    assert "Passages shown: 1" in html


def test_the_judge_is_shown_with_its_prompt_its_nonsense_and_its_agreement() -> None:
    html = render(as_json(report(judge=Candidate("openai:j", name="j"))))
    assert "nonsense and count for nothing: 2" in html and "Times it failed: 1" in html
    assert "You check an answer against the right one" in html and "100 % (marked answers: 2; Cohen κ 1.00)" in html


def test_it_is_written_whole_and_read_again(tmp_path: Path) -> None:
    html, data = write_report(report(), tmp_path)
    assert html.parent.name == "d-1" and not list(tmp_path.rglob("*.part"))
    assert load_json(data) == json.loads(json.dumps(as_json(report())))


@pytest.mark.parametrize(("text", "part"), [("{", "is not JSON"), ("[]", "no report"), ('{"setups": []}', "no report")])
def test_what_is_no_report_is_refused(tmp_path: Path, text: str, part: str) -> None:
    (tmp_path / "x.json").write_text(text, "utf-8")
    with pytest.raises(SettingsError, match=part):
        load_json(tmp_path / "x.json")


def read(made: Report) -> dict[str, Any]:
    return json.loads(json.dumps(as_json(made)))  # type: ignore[no-any-return]


def test_two_reports_tell_what_got_better_and_what_the_data_cannot_show() -> None:
    changes = compare_reports(read(report(right=5)), read(report(right=15)))
    verdicts = {c.name: c.verdict for c in changes.changes}
    assert verdicts == {"large": "no difference that this data can show", "small": "better"}
    assert changes.rows == 20 and "Recommended: large" in changes.in_words()[-1]
    assert compare_reports(read(report(right=15)), read(report(right=5))).changes[1].verdict == "worse"


def test_setups_of_only_one_report_are_named() -> None:
    changes = compare_reports(read(report()), read(report(name="new")))
    assert (changes.gone, changes.new) == (["small"], ["new"])


def test_reports_of_other_data_are_not_compared() -> None:
    with pytest.raises(SettingsError, match="share no row"):
        compare_reports(read(report()), read(report(hostile="other")))


def test_the_score_that_was_asked_for_must_be_there() -> None:
    rows = (Row("1", "q", "a"),)
    plan = Plan([Setup("s", Candidate("openai:m"), "zero-shot")], Split(rows, ()))
    results = Results({("s", "1"): Outcome("a")}, None)
    with pytest.raises(SettingsError, match="no score schema"):
        build_report(
            "i", "c", Dataset("d", rows, ""), plan, results, {("s", "1"): {"exact": 1.0}}, "schema", {}, {}, ()
        )


def test_every_word_of_the_report_has_french() -> None:
    said = re.findall(r't\("([^"]+)"\)', TEMPLATE.read_text("utf-8"))
    assert len(said) > 50 and not [text for text in said if text not in WORDS]
    assert not [score for score in SCORES if score not in WORDS]
    html = render(as_json(report()), "fr")
    assert 'lang="fr"' in html and "Prenez large : toutes les autres" in html and "small a échoué 1 fois sur 20" in html


def test_every_sentence_of_the_recommendation_has_french() -> None:
    def one(name: str, right: int, cost: float | None, failed: bool = False) -> Measured:
        return Measured(name, [1.0] * right + [0.0] * (40 - right), right / 40, cost, 1.0, failed)

    few = [Measured(n, [1.0], 1.0, c, 1.0) for n, c in (("a", 1.0), ("b", 2.0))]
    cases = [
        [one("a", 0, 1.0, failed=True)],
        [one("a", 30, 1.0)],
        [one("a", 30, 1.0), one("b", 30, 2.0)],
        [one("a", 30, 1.0), one("b", 30, 1.0)],
        [one("a", 30, 1.0), one("b", 30, None)],
        [one("a", 39, 1.0), one("b", 2, 2.0)],
        [one("a", 39, 1.0), one("b", 2, 2.0), one("c", 39, 3.0)],
        [one("a", 30, 1.0), replace(one("b", 30, 2.0), currency="EUR")],
        few,
    ]
    for measured in cases:
        sentence = recommend(measured)[0].sentence
        french = in_language("fr", sentence)
        assert french != sentence and not re.search(r"\b(the|of them|take|answer|and)\b", french), french


def test_a_setup_is_found_again_whose_name_told_its_lever_before() -> None:
    before, after = as_json(report(10)), as_json(report(20))
    before["setups"][1]["name"] = "small · zero-shot"
    for row in before["rows"]:
        row["answers"]["small · zero-shot"] = row["answers"].pop("small")
    changes = compare_reports(before, after)
    assert [c.name for c in changes.changes] == ["large", "small · zero-shot"] and not changes.gone and not changes.new
    assert changes.changes[1].verdict == "better"
