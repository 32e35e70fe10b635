"""One large file over HTTP: it goes on where it stopped, also in another process, and counts only once its checksum is right."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.engines.errors import ModelNotFound, NoDiskSpace, Refused, Unreachable

BLOCK_BYTES = 1 << 20
TRIES = 4
PAUSE_S = 1.0
SILENCE_S = 30.0
SPARE_BYTES = 200_000_000
AGAIN = "Check the network and try again; it goes on where it stopped."
OnBytes = Callable[[int], None]


@dataclass(frozen=True)
class Download:
    """What to fetch. `sha256` is that of the content, `blob_id` its name in git (SHA-1 with a header); one of them is checked,
    where the server tells. `size_bytes` is None where it does not say. `headers` stay with the host of `url`."""

    url: str
    target: Path
    size_bytes: int | None = None
    sha256: str | None = None
    blob_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def part(self) -> Path:
        """Where it grows."""
        return self.target.with_name(f"{self.target.name}.part")


def fetch(wanted: Download, on_bytes: OnBytes = lambda _done: None) -> None:
    """Bring one file to `wanted.target`, unless it is there. `on_bytes` is told how many of its bytes are here by now.

    Raises: Unreachable (the connection broke and stayed broken, or what came is damaged), Refused, ModelNotFound, NoDiskSpace.
    """
    if wanted.target.exists():
        on_bytes(wanted.target.stat().st_size)
        return
    try:
        wanted.target.parent.mkdir(parents=True, exist_ok=True)
        _fetch_whole(wanted, on_bytes)
        _check(wanted)
        wanted.part.replace(wanted.target)
    except OSError as error:
        raise NoDiskSpace(
            f"{wanted.target.name} could not be written to {wanted.target.parent}: {error.strerror or error}.",
            "Free some space or set ASSISTANT_HOME to a folder on another disk, then try again; it goes on where it stopped.",
        ) from error


def check_space(folder: Path, missing_bytes: int) -> None:
    """Raises: NoDiskSpace where `missing_bytes` more do not fit the disk of `folder`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise NoDiskSpace(
            f"{folder} cannot be written: {error.strerror}.", "Set ASSISTANT_HOME to another folder."
        ) from error
    if free < missing_bytes + SPARE_BYTES:
        raise NoDiskSpace(
            f"{folder} has {free / 1e9:.1f} GB free and needs {(missing_bytes + SPARE_BYTES) / 1e9:.1f} GB.",
            "Free some space or set ASSISTANT_HOME to a folder on another disk.",
        )


def here_bytes(wanted: Download) -> int:
    """How much of it is on the disk already."""
    there = next((path for path in (wanted.target, wanted.part) if path.exists()), None)
    return there.stat().st_size if there else 0


def _fetch_whole(wanted: Download, on_bytes: OnBytes) -> None:
    import httpx

    left = TRIES
    with httpx.Client(follow_redirects=True, timeout=httpx.Timeout(SILENCE_S, connect=10)) as client:
        while True:
            before = here_bytes(wanted)
            try:
                if _is_whole(wanted, before) or _fetch_more(client, wanted, before, on_bytes):
                    return
                trouble = "the connection broke off"
            except httpx.TransportError as error:
                trouble = str(error) or type(error).__name__
            left = TRIES if here_bytes(wanted) > before else left - 1
            if not left:
                raise Unreachable(f"{wanted.target.name} could not be fetched: {trouble.rstrip('.')}.", AGAIN)
            time.sleep(PAUSE_S)


def _is_whole(wanted: Download, done: int) -> bool:
    if wanted.size_bytes is not None and done > wanted.size_bytes:
        wanted.part.unlink()
        return False
    return done == wanted.size_bytes and wanted.part.exists()


def _fetch_more(client: Any, wanted: Download, done: int, on_bytes: OnBytes) -> bool:
    """Whether all is here now. A server that knows no ranges sends the whole again."""
    headers = {**wanted.headers, "Accept-Encoding": "identity", **({"Range": f"bytes={done}-"} if done else {})}
    with client.stream("GET", wanted.url, headers=headers) as response:
        if response.status_code == 416:
            wanted.part.unlink()
            return False
        if response.status_code >= 500 or response.status_code == 429:
            raise response_error(response.status_code, wanted)
        if response.status_code not in (200, 206):
            raise _refusal(response.status_code, wanted)
        if response.status_code == 200:
            done = 0
        length = int(response.headers.get("content-length") or 0)
        whole = done + length if length else wanted.size_bytes
        with wanted.part.open("ab" if done else "wb") as out:
            for block in response.iter_bytes():
                out.write(block)
                done += len(block)
                on_bytes(done)
    return whole is None or done == whole


def response_error(status: int, wanted: Download) -> Exception:
    """A server in trouble, as the transport's own errors, so that it is tried again."""
    import httpx

    return httpx.RemoteProtocolError(f"the server of {wanted.target.name} answered {status}")


def _refusal(status: int, wanted: Download) -> Exception:
    if status in (401, 403):
        return Refused(
            f"{wanted.target.name} is not given to everybody ({status}).",
            "Accept its licence on the hub and set HF_TOKEN, or choose another.",
        )
    return ModelNotFound(f"{wanted.target.name} is not on the server ({status}).", "Check the name of the model.")


def _check(wanted: Download) -> None:
    """Raises: Unreachable; what is damaged does not stay."""
    if wanted.sha256:
        with wanted.part.open("rb") as file:
            right = hashlib.file_digest(file, "sha256").hexdigest() == wanted.sha256
    elif wanted.blob_id:
        right = _blob_id(wanted.part) == wanted.blob_id
    else:
        right = wanted.size_bytes in (None, wanted.part.stat().st_size)
    if not right:
        wanted.part.unlink()
        raise Unreachable(
            f"{wanted.target.name} came damaged: its checksum does not match.", "Try again; it is fetched anew."
        )


def _blob_id(path: Path) -> str:
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
