"""What the page's handlers and routes share in one process. Chainlit loads the handlers by file, so this stands in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.accounts import Accounts
from assistant.agent import Assistant
from assistant.owners import Owners
from assistant.settings import Settings

if TYPE_CHECKING:
    from assistant.app_storage import PageStore

LOCAL_USER = "local"
"""Everybody on loopback while login is off."""


@dataclass(frozen=True)
class Page:
    settings: Settings
    assistant: Assistant
    store: PageStore
    accounts: Accounts
    owners: Owners

    def welcome(self, name: str, stamp: str) -> bool:
        """Whether who signed in as `name` with this stamp still may."""
        if not self.settings.login:
            return name == LOCAL_USER
        account = self.accounts.find(name)
        return account is not None and account.stamp == stamp


_pages: list[Page] = []


def open_page(page: Page) -> None:
    _pages[:] = [page]


def page() -> Page:
    return _pages[0]
