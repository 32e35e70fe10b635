"""What a prompt bought is read off the newest report that can tell."""

from __future__ import annotations

from typing import Any

from assistant.prompt_gains import last_gain

MODEL = "openai:m"


def setup(name: str, tokens: float | None = 20, lever: str = "zero-shot", **candidate: Any) -> dict[str, Any]:
    kept = {"model": MODEL, "name": name, **candidate}
    return {"name": name, "candidate": kept, "lever": lever, "prompt_tokens": tokens, "scores": {}}


def report(
    with_it: list[float | None], without: list[float | None], score: str = "exact", **more: Any
) -> dict[str, Any]:
    setups = more.pop("setups", [setup("plain"), setup("short", 32, prompt="/short@2", system="Be brief.")])
    names = [one["name"] for one in setups]

    def answer(value: float | None) -> dict[str, Any]:
        return {"error": "" if value is not None else "Unreachable", "scores": {score: value}}

    rows = [{"answers": {names[0]: answer(b), names[1]: answer(a)}} for a, b in zip(with_it, without, strict=True)]
    for one, values in zip(setups, (without, with_it), strict=True):
        one["scores"] = {score: {"mean": sum(v or 0 for v in values) / len(values)}}
    return {
        "id": "r",
        "created": "2026-01-01",
        "data": {"name": "d.csv"},
        "main": score,
        "setups": setups,
        "rows": rows,
    } | more


def test_a_gain_is_told_with_its_interval_and_its_tokens() -> None:
    gain = last_gain("short", [report([1] * 12, [0] * 9 + [1] * 3)])
    assert gain and gain.gain.mean == 0.75 and gain.gain.excludes_zero
    assert (gain.before, gain.after, gain.tokens, gain.version) == (0.25, 1.0, 12, 2)
    assert "better by 0.75" in gain.in_words(2) and "for +12 tokens" in gain.in_words(2)
    assert "with version 2" in gain.in_words(3)


def test_what_the_data_cannot_show_is_said() -> None:
    gain = last_gain("short", [report([1, 0] * 6, [0, 1] * 6)])
    assert gain and "no difference that this data can show" in gain.in_words(2)


def test_fewer_errors_are_better_and_no_answer_is_the_worst() -> None:
    fewer = last_gain("short", [report([0.1] * 10, [0.4] * 10, "word_error")])
    failed = last_gain("short", [report([None] * 10, [1.0] * 10)])
    assert fewer and fewer.gain.mean and round(fewer.gain.mean, 2) == 0.3
    assert failed and failed.gain.mean == -1.0 and "worse by 1.00" in failed.in_words(2)


def test_only_the_same_model_and_lever_are_compared() -> None:
    prompt = {"prompt": "/short@2", "system": "Be brief."}
    others = [
        [setup("plain", lever="few-shot"), setup("short", **prompt)],
        [setup("plain", temperature=0.5), setup("short", **prompt)],
        [setup("plain", system="Be long."), setup("short", **prompt)],
        [setup("plain"), setup("short", prompt="/shorter@2")],
    ]
    assert [last_gain("short", [report([1] * 9, [0] * 9, setups=setups)]) for setups in others] == [None] * 4


def test_the_newest_report_that_can_tell_is_taken() -> None:
    silent = report([1] * 9, [0] * 9, setups=[setup("plain"), setup("other")])
    gain = last_gain("short", [silent, report([1] * 9, [0] * 9, id="second"), report([0] * 9, [0] * 9, id="third")])
    assert gain and gain.report == "second"
