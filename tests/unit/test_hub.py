"""Weights from a hub on loopback: told how large, fetched in ranges, checked, and put in place only when whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub_server import REVISION, HubServer, serving_hub
from tools.engines import downloads
from tools.engines.base import EngineOptions
from tools.engines.device import DeviceArbiter
from tools.engines.errors import Busy, EngineError, ModelNotFound, NoDiskSpace, Refused, Unreachable
from tools.engines.hub import fetched_of, hub_folder

WEIGHTS = bytes(range(256)) * 12_000
FILES = {"model.bin": WEIGHTS, "config.json": b"{}", "onnx/model.bin": b"other", "notes.pdf": b"%PDF"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    from huggingface_hub import constants

    monkeypatch.setattr(downloads, "PAUSE_S", 0.01)
    with serving_hub(dict(FILES)) as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        yield server


def fetch(tmp_path: Path, said: list[tuple[str, float | None]] | None = None, repo: str = "owner/model") -> Path:
    def on_load(text: str, fraction: float | None) -> None:
        if said is not None:
            said.append((text, fraction))

    options = EngineOptions(tmp_path, DeviceArbiter(), on_load=on_load)
    return hub_folder(repo, options, allow=["*.json", "*.bin"], ignore=["onnx/*"])


def failure(tmp_path: Path, kind: type[EngineError], repo: str = "owner/model") -> str:
    with pytest.raises(kind) as caught:
        fetch(tmp_path, repo=repo)
    assert caught.value.remedy and "\n" not in str(caught.value)
    assert not (tmp_path / "hub" / "owner--model").exists()
    return str(caught.value)


def test_what_is_needed_is_fetched_checked_and_written_down(hub: HubServer, tmp_path: Path) -> None:
    said: list[tuple[str, float | None]] = []
    folder = fetch(tmp_path, said)
    assert (folder / "model.bin").read_bytes() == WEIGHTS
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "fetched.json", "model.bin"]
    known = fetched_of(folder)
    assert known and (known.repo, known.revision, list(known.sha256)) == ("owner/model", REVISION, ["model.bin"])
    assert said[0] == ("Fetching owner/model: 3.1 MB", 0.0)
    assert said[-1][1] == 1.0
    assert [p.name for p in (tmp_path / "hub").glob("*.part")] == []
    fetch(tmp_path)
    assert len(hub.asked) == 2


def test_a_connection_that_drops_half_way_is_taken_up_where_it_broke(hub: HubServer, tmp_path: Path) -> None:
    hub.breaks = [2, 1_000_000, 500_000]
    assert (fetch(tmp_path) / "model.bin").read_bytes() == WEIGHTS
    assert hub.asked[1:] == [("model.bin", ""), ("model.bin", "bytes=1000000-"), ("model.bin", "bytes=1500000-")]


def test_after_a_failure_another_run_goes_on_with_what_is_there(hub: HubServer, tmp_path: Path) -> None:
    hub.breaks = [2, 1_000_000, 0, 0, 0, 0, 0]
    assert "goes on where it stopped" in failure(tmp_path, Unreachable)
    hub.breaks, hub.asked = [], []
    said: list[tuple[str, float | None]] = []
    assert (fetch(tmp_path, said) / "model.bin").read_bytes() == WEIGHTS
    assert hub.asked == [("model.bin", "bytes=1000000-")]
    assert said[0][0] == "Fetching owner/model: 3.1 MB, 2.1 MB of them still to come"


def test_a_server_in_trouble_is_tried_again(hub: HubServer, tmp_path: Path) -> None:
    hub.refuses = [503, 429]
    assert fetch(tmp_path).is_dir()


@pytest.mark.parametrize("name", ["model.bin", "config.json"])
def test_what_comes_damaged_is_thrown_away(hub: HubServer, tmp_path: Path, name: str) -> None:
    hub.listed = {name: b"what it should be"}
    assert f"{name} came damaged" in failure(tmp_path, Unreachable)
    hub.listed = {}
    assert fetch(tmp_path).is_dir()


def test_a_hub_that_is_away_a_wrong_name_and_a_gated_model_are_told_apart(hub: HubServer, tmp_path: Path) -> None:
    assert "no model owner/other on the hub" in failure(tmp_path, ModelNotFound, "owner/other")
    hub.files = {"notes.pdf": b"%PDF"}
    assert "no files of the kind" in failure(tmp_path, ModelNotFound)
    hub.gated = True
    assert "gated" in failure(tmp_path, Refused)
    hub.stop()
    assert "hub cannot be reached" in failure(tmp_path, Unreachable)


def test_a_disk_too_small_is_told_before_anything_is_fetched(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "SPARE_BYTES", 10**18)
    assert "GB free and needs" in failure(tmp_path, NoDiskSpace)
    assert hub.asked == []


def test_a_disk_that_fills_up_meanwhile_is_told(hub: HubServer, tmp_path: Path) -> None:
    hub.files["full.bin"] = b"x" * 100_000
    aside = tmp_path / "hub" / f"owner--model.{REVISION[:12]}.part"
    aside.mkdir(parents=True)
    (aside / "full.bin.part").symlink_to("/dev/full")
    assert "No space left" in failure(tmp_path, NoDiskSpace)


def test_two_processes_do_not_fetch_the_same(hub: HubServer, tmp_path: Path) -> None:
    from knowledge.lock import WriteLock

    (tmp_path / "hub").mkdir()
    lock = WriteLock(tmp_path / "hub" / ".owner--model.lock")
    assert lock.try_take()
    assert "another process" in failure(tmp_path, Busy)
    lock.release()
    assert fetch(tmp_path).is_dir()


def test_the_owners_whisper_is_fetched_and_checked_the_same_way(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    import whisper

    from tools.engines.weights import fetch_weights

    digest = hashlib.sha256(WEIGHTS).hexdigest()
    hub.files[f"{digest}/small.pt"] = WEIGHTS
    monkeypatch.setitem(whisper._MODELS, "small", f"{hub.url}/owner/model/resolve/{REVISION}/{digest}/small.pt")
    hub.breaks = [1_000_000]
    said: list[str] = []
    options = EngineOptions(tmp_path, DeviceArbiter(), on_load=lambda text, _fraction: said.append(text))
    path = fetch_weights("whisper:small", "speech", options)
    assert path.read_bytes() == WEIGHTS and path == tmp_path / "openai-whisper" / "small.pt"
    assert said[0] == "Fetching whisper:small: about 483.0 MB"
    assert [asked for _, asked in hub.asked] == ["", "bytes=1000000-"]
    path.unlink()
    hub.files[f"{digest}/small.pt"] = b"something else"
    with pytest.raises(Unreachable, match="came damaged"):
        fetch_weights("whisper:small", "speech", options)
