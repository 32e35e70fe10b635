"""Scores counted by hand, and statistics on differences that were planted."""

from dataclasses import replace

import numpy as np
import pytest

from assistant.evaluation.budget import Budget
from assistant.evaluation.dataset import Row
from assistant.evaluation.judge import agreement, verdict_of
from assistant.evaluation.recommendation import Measured, money, recommend
from assistant.evaluation.scores import contains, counted, fits_schema, main_score, token_f1, word_error
from assistant.evaluation.statistics import interval, paired, pareto
from assistant.prices import Cost
from knowledge.documents import Passage
from tools.engines.base import Usage

TOWER = Passage("The tower of Arwick is 31 metres high.", "a", "a", None, None, 1, 1, "c", "1")
BRIDGE = Passage("The bridge of Belton carries trains.", "b", "b", None, None, 1, 1, "c", "2")


def test_words_are_compared_without_case_accents_articles_and_punctuation() -> None:
    row = Row("r", "q", "the Café, in Paris")
    assert counted(row, "  a cafe in PARIS. ", ())["exact"] == 1.0
    assert not contains("It holds 312 of them", "31") and contains("It is 31.", "31")
    assert contains("答案是北京。", "北京")


def test_token_f1_is_that_of_shared_words() -> None:
    assert token_f1("31 metres high", "31 metres") == pytest.approx(0.8)
    assert token_f1("nothing", "31") == 0.0


def test_word_error_counts_words_and_ends_at_one() -> None:
    assert word_error("the quick brown dog", "The quick brown fox.") == 0.25
    assert word_error("one two three four", "one") == 1.0


def test_json_counts_where_it_fits_the_schema() -> None:
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    assert fits_schema('{"n": 1}', schema) and fits_schema('```json\n{"n": 1}\n```', schema)
    assert not fits_schema('{"n": "1"}', schema) and not fits_schema("n is 1", schema)
    assert not fits_schema("[" * 100_000, schema)


def test_groundedness_and_citations_follow_the_passages() -> None:
    row = Row("r", "How high is the tower of Arwick?", "31 metres")
    right = counted(row, "The tower is 31 metres high.", [BRIDGE, TOWER])
    assert (right["groundedness"], right["citations"]) == (1.0, 1.0)
    invented = counted(row, "It was built by Queen Edith in 1284.", [BRIDGE, TOWER])
    assert (invented["groundedness"], invented["citations"]) == (0.0, 0.0)
    aside = counted(row, "The bridge of Belton carries trains.", [BRIDGE, TOWER])
    assert (aside["groundedness"], aside["citations"]) == (1.0, 0.0)
    assert "groundedness" not in counted(row, "NOT_IN_DOCUMENTS", [TOWER])


def test_the_score_that_decides_follows_the_references() -> None:
    labels = [Row(str(n), "q", "yes" if n % 2 else "no") for n in range(20)]
    short = [Row(str(n), "q", f"number {n}") for n in range(20)]
    long = [Row(str(n), "q", f"a whole sentence that says quite a lot about {n}") for n in range(20)]
    assert [main_score(rows, ["exact"])[0] for rows in (labels, short, long)] == ["exact", "contains", "similarity"]


def test_an_interval_holds_the_mean_that_was_planted() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for seed in range(60):
        found = interval(rng.normal(0.3, 1.0, 80), seed=seed)
        held += found.low <= 0.3 <= found.high
    assert held >= 52


def test_a_planted_difference_is_found_and_none_is_not() -> None:
    rng = np.random.default_rng(2)
    base = rng.random(150) < 0.5
    better = base | (rng.random(150) < 0.4)
    shuffled = [float(x) for x in rng.permutation(base)]
    assert paired(better.astype(float), base.astype(float)).excludes_zero
    assert not paired(shuffled, [float(x) for x in base]).excludes_zero


def test_chance_alone_makes_few_candidates_look_worse() -> None:
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(40):
        same = [Measured(str(n), list((rng.random(60) < 0.6).astype(float)), 0, 1.0, 1.0) for n in range(4)]
        same = [Measured(m.name, m.values, float(np.mean(m.values)), 1.0, 1.0) for m in same]
        wrong += not recommend(same)[0].no_difference
    assert wrong <= 8


def test_few_rows_tell_nothing() -> None:
    assert interval([1.0] * 7).low is None
    found, versus = recommend([Measured("a", [1.0] * 5, 1.0, 2.0, 1.0), Measured("b", [0.0] * 5, 0.0, 1.0, 1.0)])
    assert versus["b"].worse is None and "Too few rows" in found.sentence


def test_rows_without_a_score_are_left_out_of_a_pair() -> None:
    assert paired([1.0, None, 1.0], [0.0, 1.0, None]).rows == 1


def measured(name: str, right: int, cost: float | None, latency_s: float = 1.0, failed: bool = False) -> Measured:
    values = [1.0] * right + [0.0] * (100 - right)
    return Measured(name, values, right / 100, cost, latency_s, failed)


def test_the_cheapest_that_is_not_measurably_worse_is_recommended() -> None:
    found, versus = recommend([measured("best", 90, 9.0), measured("nearly", 89, 1.0), measured("poor", 40, 0.1)])
    assert found.setup == "nearly" and found.by == "cost" and not found.no_difference
    assert versus["poor"].worse and versus["nearly"].worse is False


def test_one_that_is_better_than_all_others_is_taken_at_any_price() -> None:
    assert recommend([measured("best", 90, 9.0), measured("poor", 40, 0.1)])[0].setup == "best"


def test_an_unknown_price_makes_time_decide_and_is_said() -> None:
    found, _ = recommend([measured("a", 90, None, 2.0), measured("b", 90, 0.1, 1.0)])
    assert (found.setup, found.by) == ("b", "latency") and "price of a is unknown" in found.sentence


def test_what_never_answered_is_never_recommended() -> None:
    found, versus = recommend([measured("dead", 0, 0.0, 0.1, failed=True), measured("a", 50, 1.0)])
    assert found.setup == "a" and "dead" not in versus


def test_the_front_holds_what_nothing_beats() -> None:
    assert pareto([(0.9, 2.0, 5.0), (0.8, 1.0, 5.0), (0.7, 1.5, 6.0), None]) == [True, True, False, False]


def test_money_that_is_unknown_is_a_word() -> None:
    assert [money(x) for x in (None, 0.0, 0.00123, 3.0, 2e-6)] == ["unknown", "0", "$0.0012", "$3.00", "$2.0e-06"]
    assert (money(0.00123, "EUR"), money(3.0, "CHF"), money(0.5, None)) == ("0.0012 EUR", "3.00 CHF", "0.5")


def test_costs_in_two_currencies_are_never_compared() -> None:
    dear, cheap = replace(measured("dear", 90, 9.0, 1.0), currency="JPY"), measured("cheap", 90, 0.1, 2.0)
    found, _ = recommend([dear, cheap])
    assert (found.setup, found.by) == ("dear", "latency")
    assert "Prices are in JPY and USD, so cost decides nothing here" in found.sentence
    free = replace(dear, cost=0.0)
    assert recommend([free, cheap])[0].by == "cost", "what costs nothing has no currency"


def test_a_budget_never_passes_its_cap_also_with_calls_under_way() -> None:
    budget = Budget(1.0, lambda _model, usage: Cost(0.4))
    most = budget.most("m", 1, 1)
    assert budget.reserve(most) and budget.reserve(most) and not budget.reserve(most)
    budget.settle(most, 0.1)
    assert budget.reserve(most) and budget.spent == 0.1
    assert not Budget(1.0, lambda _m, _u: None).reserve(None)
    free = Budget(None, lambda _m, _u: None)
    free.settle(None, None)
    mixed = Budget(None, lambda _m, _u: None)
    mixed.settle(None, 1.0, "EUR")
    mixed.settle(None, 2.0, "USD")
    assert mixed.spent is None and mixed.paid == {"EUR": 1.0, "USD": 2.0}
    assert (free.spent, free.unknown) == (0.0, 1) and Usage().cost is None


def test_verdicts_and_agreement() -> None:
    assert verdict_of('{"verdict": "partly", "why": "x"}') == 0.5
    assert [verdict_of(t) for t in ("fine", '{"verdict": "great"}', "[1]", "null", '{"verdict": ["right"]}')] == [
        None
    ] * 5
    found = agreement([1, 0, 1, 0], [1, 0, 0, 0])
    assert found and (found.rows, found.share, found.kappa) == (4, 0.75, 0.5)
    assert agreement([], []) is None and agreement([1, 1], [1, 1]).kappa is None  # type: ignore[union-attr]
