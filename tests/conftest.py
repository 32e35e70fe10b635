"""What all tests share: the folder of joined starter weights and a fresh home."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

# The joined weights are the same for every run, so they are kept between runs beside the environment.
MODELS = Path(os.environ.get("ASSISTANT_TEST_MODELS", Path(__file__).parents[1] / ".venv" / "test-models"))

# A run in the background is started with Ctrl-C switched off, and so would be the commands that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with a real browser or real processes depend on the machine's load: one that fails is tried once more, and
    the summary lists it as a rerun. Unit tests must pass at once."""
    for item in items:
        if item.path.parent.name in {"e2e", "integration"}:
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=2))


@pytest.fixture(scope="session")
def models_folder() -> Path:
    """Where the starter weights are joined, shared by all tests."""
    MODELS.mkdir(parents=True, exist_ok=True)
    return MODELS


@pytest.fixture
def home(tmp_path: Path, models_folder: Path) -> Path:
    """A fresh ASSISTANT_HOME that borrows the joined weights."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "models").symlink_to(models_folder)
    return folder


@pytest.fixture(autouse=True)
async def closed_after_the_test() -> AsyncIterator[None]:
    """Assistants with fake engines leave no open database behind."""
    from tests.fakes import OPENED

    yield
    while OPENED:
        await OPENED.pop().close()
