"""The ledger: caps hold at the same time and across processes, and a killed call counts in full."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from assistant.prices import Cost
from assistant.settings import SettingsError, Spending, load_settings
from assistant.spending import Ledger, SpendingCap, left, today
from tools.engines.base import Usage

CENT = Cost(0.01)


def tries(ledger: Ledger, user: str, caps: Spending, count: int) -> int:
    """How many of `count` calls of a cent each are let through."""
    through = 0
    for _ in range(count):
        try:
            ledger.hold(user, "openai:m", CENT, caps)
            through += 1
        except SpendingCap:
            continue
    return through


def test_a_cap_counts_everybody_and_a_personal_one_only_oneself(tmp_path: Path) -> None:
    ledger, caps = Ledger(tmp_path), Spending(day=0.05, user_day=0.03)
    assert tries(ledger, "ada", caps, 9) == 3
    assert tries(ledger, "bob", caps, 9) == 2
    assert left(caps, ledger.rows(today()), "ada") == 0


def test_what_a_call_did_cost_takes_the_place_of_the_most_it_could(tmp_path: Path) -> None:
    ledger, caps = Ledger(tmp_path), Spending(day=0.01)
    held = ledger.hold("ada", "openai:m", CENT, caps)
    with pytest.raises(SpendingCap, match=r"0.0100 of everybody's 0.01 a day are spent.*raise spending.day"):
        ledger.hold("ada", "openai:m", CENT, caps)
    ledger.settle(held, Cost(0.002), Usage(20, 5))
    assert tries(ledger, "ada", Spending(day=0.0125), 3) == 1
    (row,) = ledger.rows()
    assert (row.calls, row.prompt_tokens, row.open, round(row.amount, 3)) == (2, 20, 1, 0.012)


def test_a_call_that_never_reached_the_model_costs_nothing(tmp_path: Path) -> None:
    ledger, caps = Ledger(tmp_path), Spending(day=0.01)
    ledger.release(ledger.hold("ada", "openai:m", CENT, caps))
    assert tries(ledger, "ada", caps, 2) == 1


def test_forty_threads_cannot_pass_a_cap_together(tmp_path: Path) -> None:
    caps = Spending(day=0.07)
    with ThreadPoolExecutor(40) as pool:
        through = list(pool.map(lambda n: tries(Ledger(tmp_path), f"user{n}", caps, 2), range(40)))
    assert sum(through) == 7


def test_processes_share_the_cap_and_one_that_is_killed_has_spent_what_it_held(tmp_path: Path) -> None:
    code = f"""
import os
from pathlib import Path
from assistant.prices import Cost
from assistant.settings import Spending
from assistant.spending import Ledger
Ledger(Path({str(tmp_path)!r})).hold("ada", "openai:m", Cost(0.01), Spending(day=0.03))
os.kill(os.getpid(), 9)
"""
    killed = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait(60) for process in killed] == [-9, -9]
    assert tries(Ledger(tmp_path), "ada", Spending(day=0.03), 5) == 1


def test_with_a_cap_an_unknown_price_or_another_currency_is_refused(tmp_path: Path) -> None:
    ledger, caps = Ledger(tmp_path), Spending(user_day=5, currency="EUR")
    with pytest.raises(SpendingCap, match=r"Nobody knows here what openai:m costs.*Write its price into prices.toml"):
        ledger.hold("ada", "openai:m", None, caps)
    with pytest.raises(SpendingCap, match=r"priced in USD and the cap on spending is in EUR.*Write its price in EUR"):
        ledger.hold("ada", "openai:m", CENT, caps)
    assert ledger.rows() == []


def test_without_a_cap_an_unknown_price_is_written_down_as_unknown(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.settle(ledger.hold("ada", "work:m", None, Spending()), None, Usage(5, 5))
    (row,) = ledger.rows()
    assert (row.calls, row.unknown, row.amount, row.open) == (1, 1, 0.0, 0)


def test_caps_are_settings_like_others(tmp_path: Path) -> None:
    (tmp_path / "assistant.toml").write_text("[spending]\nday = 2.5\n", "utf-8")
    settings = load_settings(tmp_path, {"ASSISTANT_SPENDING_USER_DAY": "0.5"})
    assert settings.spending == Spending(2.5, 0.5)
    (tmp_path / "assistant.toml").write_text("spending = 3\n", "utf-8")
    with pytest.raises(SettingsError, match=r"spending in assistant.toml is a table: write \[spending\]"):
        load_settings(tmp_path, {})
    with pytest.raises(SettingsError, match="ASSISTANT_SPENDING_DAY"):
        load_settings(tmp_path / "none", {"ASSISTANT_SPENDING_DAY": "much"})
