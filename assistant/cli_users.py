"""The commands for accounts: users add, reset, list, remove. Passwords are typed unseen, or come as one line on stdin."""

from __future__ import annotations

import getpass
import sys
from datetime import UTC, datetime

from assistant.accounts import Account, Accounts
from assistant.cli_output import CallerError, print_json, print_table, print_text
from assistant.settings import Settings


def add(settings: Settings, name: str) -> None:
    """Raises: AccountError."""
    Accounts(settings.home).add(name, _password())
    print_text(f"{name} may log in.\n")


def reset(settings: Settings, name: str) -> None:
    """Raises: AccountError."""
    Accounts(settings.home).reset(name, _password())
    print_text(f"{name} has a new password.\n")


def remove(settings: Settings, name: str) -> None:
    """Raises: AccountError."""
    Accounts(settings.home).remove(name)
    print_text(f"{name} may no longer log in.\n")


def list_accounts(settings: Settings, json_lines: bool) -> None:
    accounts = Accounts(settings.home).all()
    if json_lines:
        for account in accounts:
            print_json({"name": account.name, "created": _since(account)})
    elif accounts:
        print_table((account.name, _since(account)) for account in accounts)


def _since(account: Account) -> str:
    return datetime.fromtimestamp(account.created, UTC).isoformat(timespec="seconds")


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise CallerError("The two passwords differ. Try again.")
    return password
