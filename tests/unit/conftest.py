"""What the tests of the page's parts share."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="session")
def chainlit(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Chainlit writes into its folder while it is imported."""
    os.environ.setdefault("CHAINLIT_APP_ROOT", str(tmp_path_factory.mktemp("chainlit")))
