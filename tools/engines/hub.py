"""Weights from the Hugging Face hub, only for a model that was asked for by name and only when the machine may go online.

A folder that stands under its final name is whole and checked: it is filled aside and renamed, and a broken download goes on
where it stopped. `fetched.json` in it says which revision it is.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from knowledge.lock import WriteLock
from tools.engines.base import EngineOptions, LoadProgress
from tools.engines.downloads import Download, check_space, fetch, here_bytes
from tools.engines.errors import Busy, ModelNotFound, NoDiskSpace, Refused, Unreachable

MANIFEST = "fetched.json"
LIST_WITHIN_S = 15


@dataclass(frozen=True)
class Fetched:
    """What was fetched from where: the commit of the repository, when, and the checksum of each large file."""

    repo: str
    revision: str
    date: str
    sha256: Mapping[str, str]


def hub_folder(repo: str, options: EngineOptions, *, allow: Sequence[str], ignore: Sequence[str] = ()) -> Path:
    """The folder with the files of `repo` ("owner/name") that match `allow` and not `ignore`, fetched on the first call.
    `options.on_load` is told how large it is before it begins.

    Raises: ModelNotFound (offline, or no such repository), Refused (gated), Unreachable, NoDiskSpace.
    """
    folder = folder_of(repo, options.models)
    if folder.is_dir():
        return folder
    if options.offline:
        raise ModelNotFound(
            f"The weights of {repo} are not on this machine, and it is set to stay offline.",
            "Choose a starter model, give the path of a local folder, or go online once to fetch it.",
        )
    lock = WriteLock(_made(folder.parent) / f".{folder.name}.lock")
    if not lock.try_take():
        raise Busy(f"{repo} is being fetched by another process already.", "Wait for it, then try again.")
    try:
        if not folder.is_dir():
            revision, files = _list(repo, folder, allow, ignore)
            _fetch(repo, files, _aside(folder, revision), options.on_load)
            _settle(repo, revision, files, folder)
    finally:
        lock.release()
    return folder


def folder_of(repo: str, models: Path) -> Path:
    """Where a repository's files are once they are all there."""
    return models / "hub" / repo.replace("/", "--")


def fetched_of(folder: Path) -> Fetched | None:
    """What `hub_folder` wrote down of a folder it filled; None where there is nothing."""
    try:
        return Fetched(**json.loads((folder / MANIFEST).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _list(repo: str, folder: Path, allow: Sequence[str], ignore: Sequence[str]) -> tuple[str, list[Download]]:
    """The commit, and its files with sizes and checksums, as the hub tells them."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import httpx
    import httpx2
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )
    from huggingface_hub.utils import build_hf_headers, filter_repo_objects

    try:
        info = HfApi().model_info(repo, files_metadata=True, timeout=LIST_WITHIN_S)
    except GatedRepoError as error:
        raise Refused(
            f"{repo} is gated.", "Accept its licence on the hub and set HF_TOKEN, or choose another."
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ModelNotFound(
            f"There is no model {repo} on the hub.", "Check the name, or give a local folder."
        ) from error
    except HfHubHTTPError as error:
        raise Unreachable(
            f"{repo} could not be fetched: the hub answered {error.response.status_code}.", "Try again later."
        ) from error
    except (httpx.HTTPError, httpx2.HTTPError, OfflineModeIsEnabled, OSError) as error:
        raise Unreachable(
            f"{repo} could not be fetched: the hub cannot be reached.", "Check the network and try again."
        ) from error
    siblings = {sibling.rfilename: sibling for sibling in info.siblings or ()}
    names = list(filter_repo_objects(siblings, allow_patterns=list(allow), ignore_patterns=list(ignore) or None))
    if not names:
        raise ModelNotFound(
            f"{repo} holds no files of the kind that is needed ({', '.join(allow)}).", "Choose another model."
        )
    revision = str(info.sha)
    aside = _aside(folder, revision)
    headers = {name: str(value) for name, value in build_hf_headers().items()}
    urls = {name: f"{constants.ENDPOINT}/{repo}/resolve/{revision}/{quote(name)}" for name in names}
    return revision, [_download(siblings[name], urls[name], aside / name, headers) for name in names]


def _aside(folder: Path, revision: str) -> Path:
    """Where one revision grows: files of two are never mixed."""
    return folder.with_name(f"{folder.name}.{revision[:12]}.part")


def _made(folder: Path) -> Path:
    """Raises: NoDiskSpace."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    except OSError as error:
        raise NoDiskSpace(
            f"{folder} cannot be made: {error.strerror}.", "Set ASSISTANT_HOME to another folder."
        ) from error


def _download(sibling: Any, url: str, target: Path, headers: Mapping[str, str]) -> Download:
    sha256 = sibling.lfs.sha256 if sibling.lfs else None
    return Download(url, target, sibling.size, sha256, None if sha256 else sibling.blob_id, headers)


def _fetch(repo: str, files: Sequence[Download], aside: Path, on_load: LoadProgress) -> None:
    total = sum(file.size_bytes or 0 for file in files)
    done = sum(here_bytes(file) for file in files)
    check_space(aside, max(0, total - done))
    left = f", {told(total - done)} of them still to come" if 0 < done < total else ""
    text = f"Fetching {repo}: {told(total)}{left}"
    on_load(text, done / total if total else None)
    before = 0
    for file in sorted(files, key=lambda file: file.size_bytes or 0):
        here = before
        fetch(file, lambda now, here=here: on_load(text, min(1.0, (here + now) / total) if total else None))  # type: ignore[misc]
        before += file.size_bytes or 0


def told(size_bytes: int) -> str:
    """A size in words."""
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.1f} MB"


def _settle(repo: str, revision: str, files: Sequence[Download], folder: Path) -> None:
    aside = _aside(folder, revision)
    sums = {file.target.relative_to(aside).as_posix(): file.sha256 for file in files if file.sha256}
    known = {"repo": repo, "revision": revision, "date": datetime.now(UTC).isoformat(timespec="seconds")}
    try:
        (aside / MANIFEST).write_text(json.dumps({**known, "sha256": sums}, indent=1), "utf-8")
        aside.replace(folder)
        for left in [folder.with_name(f"{folder.name}.part"), *folder.parent.glob(f"{folder.name}.*.part")]:
            shutil.rmtree(left, ignore_errors=True)
    except OSError as error:
        raise NoDiskSpace(
            f"{repo} could not be written to {aside}: {error}.", "Free some space, then try again."
        ) from error
