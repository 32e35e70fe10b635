"""Accounts and the brake on guessing, without a page."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.accounts import AccountError, Accounts, Throttle

PASSWORD = "correct horse battery"


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    return Accounts(tmp_path)


def test_the_right_password_is_recognised_and_never_stored(accounts: Accounts, tmp_path: Path) -> None:
    accounts.add("ada", PASSWORD)
    assert accounts.verify("ada", PASSWORD) == accounts.find("ada")
    assert accounts.verify("ada", PASSWORD + "!") is None
    assert accounts.verify("bob", PASSWORD) is None
    assert PASSWORD.encode() not in (tmp_path / "accounts.db").read_bytes()


def test_only_the_owner_of_the_machine_reads_the_accounts(accounts: Accounts, tmp_path: Path) -> None:
    accounts.add("ada", PASSWORD)
    assert (tmp_path / "accounts.db").stat().st_mode & 0o077 == 0


def test_a_new_password_changes_the_stamp_so_that_old_cookies_die(accounts: Accounts) -> None:
    before = accounts.add("ada", PASSWORD)
    accounts.reset("ada", "another long password")
    after = accounts.find("ada")
    assert after is not None
    assert after.stamp != before.stamp
    assert accounts.verify("ada", PASSWORD) is None


def test_a_removed_account_is_gone(accounts: Accounts) -> None:
    accounts.add("ada", PASSWORD)
    accounts.add("bob", PASSWORD)
    accounts.remove("ada")
    assert [a.name for a in accounts.all()] == ["bob"]
    assert accounts.verify("ada", PASSWORD) is None


@pytest.mark.parametrize(
    ("name", "password", "says"),
    [
        ("", PASSWORD, "is no account name"),
        ("a b", PASSWORD, "is no account name"),
        ("ada", "short", "too short"),
        ("administrator", "Administrator", "is the name"),
    ],
)
def test_unusable_names_and_passwords_are_refused(accounts: Accounts, name: str, password: str, says: str) -> None:
    with pytest.raises(AccountError, match=says):
        accounts.add(name, password)
    assert accounts.all() == []


def test_a_name_is_given_once_and_unknown_names_are_told(accounts: Accounts) -> None:
    accounts.add("ada", PASSWORD)
    with pytest.raises(AccountError, match="already"):
        accounts.add("ada", PASSWORD)
    for act in (lambda: accounts.reset("bob", PASSWORD), lambda: accounts.remove("bob")):
        with pytest.raises(AccountError, match="There is no account bob"):
            act()


def test_after_too_many_failures_a_key_waits_and_others_do_not() -> None:
    now = [0.0]
    throttle = Throttle(limit=3, window_s=60, clock=lambda: now[0])
    for second in (0, 10, 20):
        now[0] = second
        throttle.failed("ada")
    assert throttle.wait_s("ada") == 40
    assert throttle.wait_s("bob") == 0
    now[0] = 61
    assert throttle.wait_s("ada") == 0


def test_a_right_password_clears_the_count() -> None:
    throttle = Throttle(limit=1)
    throttle.failed("ada")
    throttle.passed("ada")
    assert throttle.wait_s("ada") == 0


def test_an_attempt_that_was_taken_back_does_not_count() -> None:
    throttle = Throttle(limit=2)
    for _ in range(2):
        throttle.failed("ada")
    throttle.take_back("ada")
    assert throttle.wait_s("ada") == 0
    throttle.failed("ada")
    assert throttle.wait_s("ada") > 0
    throttle.take_back("nobody")
    assert throttle.wait_s("nobody") == 0
