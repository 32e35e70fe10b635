"""Archives: opened with limits on number, size and ratio, and read a member at a time. Also Office files are archives."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from knowledge.parsing.lines import Line, Unreadable, attached, damaged, skipped, start

UNPACKED_BYTES = 500_000_000
UNPACKED_RATIO = 200
SMALL_BYTES = 10_000_000
"""Below this no ratio is suspect."""
MEMBERS = 20_000
MEMBER_BYTES = 200_000_000
BLOCK_BYTES = 1 << 20

Broken = (
    zipfile.BadZipFile,
    tarfile.TarError,
    OSError,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    zlib.error,
    lzma.LZMAError,
)


def open_zip(path: Path, name: str, limit_bytes: int = UNPACKED_BYTES) -> zipfile.ZipFile:
    """Raises: Unreadable for a damaged archive, and for one that would unpack to too much."""
    try:
        archive = zipfile.ZipFile(path)
    except Broken as error:
        raise Unreadable(f"{name} is damaged or cut short.", "Save it anew, or download it again.") from error
    unpacked = sum(member.file_size for member in archive.infolist())
    packed = sum(member.compress_size for member in archive.infolist()) or 1
    if unpacked > limit_bytes or (unpacked > SMALL_BYTES and unpacked / packed > UNPACKED_RATIO):
        archive.close()
        raise _too_large(name, unpacked)
    return archive


def read_archive(path: Path, name: str) -> Iterator[Line]:
    """Each member as a file of its own, read while the iterator stands at it."""
    yield start(name)
    with tempfile.TemporaryDirectory() as folder:
        for inner, file in members(path, name):
            if isinstance(file, str):
                yield skipped(f"{inner}: {file}")
                continue
            target = Path(folder) / "member"
            try:
                copy(file, target, inner)
            except Unreadable as error:
                yield skipped(f"{error.message} {error.remedy}")
            except Broken:
                yield skipped(f"{inner} is damaged")
            else:
                yield attached(inner, target)


def members(path: Path, name: str, limit_bytes: int = UNPACKED_BYTES) -> Iterator[tuple[str, IO[bytes] | str]]:
    """Pairs of a member's name and its open content, or why it is left out. Nothing is written.

    Raises: Unreadable.
    """
    with path.open("rb") as file:
        packed = file.read(2) == b"PK"
    if packed:
        found = _zip_members(path, name, limit_bytes)
    elif _is_tar(path):
        found = _tar_members(path, name, limit_bytes)
    else:
        found = _single_member(path, name)
    empty = True
    for member in found:
        empty = False
        yield member
    if empty:
        raise Unreadable(f"{name} is an archive with no files in it.", "Check that it is the right file.")


def _is_tar(path: Path) -> bool:
    try:
        return tarfile.is_tarfile(path)
    except Broken:
        return False


def copy(file: IO[bytes], target: Path, name: str, room: int = MEMBER_BYTES) -> int:
    """Copy a member to `target`; its size in bytes. Raises: Unreadable when it is larger than `room`."""
    size = 0
    with target.open("wb") as out:
        while block := file.read(BLOCK_BYTES):
            size += len(block)
            if size > room:
                raise _too_large(name, size)
            out.write(block)
    return size


def fault_of(inner: str) -> str:
    """Why a member of this name is left out; empty where it is not."""
    path = PurePosixPath(inner.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or inner[1:2] == ":" or "\0" in inner or not path.name:
        return "its name leads out of the archive"
    if path.parts[0] == "__MACOSX" or path.name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        return "it belongs to the system that packed the archive"
    return ""


def _zip_members(path: Path, name: str, limit_bytes: int) -> Iterator[tuple[str, IO[bytes] | str]]:
    with open_zip(path, name, limit_bytes) as archive:
        for number, member in enumerate(archive.infolist(), 1):
            inner = _zip_name(member)
            if member.is_dir():
                continue
            if number > MEMBERS:
                yield "…", f"only the first {MEMBERS:,} files were read"
                return
            if why := fault_of(inner) or _zip_fault(member):
                yield inner, why
                continue
            try:
                with archive.open(member) as file:
                    yield inner, file
            except Broken:
                yield inner, "it is damaged"


def _zip_name(member: zipfile.ZipInfo) -> str:
    """Names that are not marked as UTF-8 are often UTF-8 all the same."""
    if member.flag_bits & 0x800:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return member.filename


def _zip_fault(member: zipfile.ZipInfo) -> str:
    if member.flag_bits & 1:
        return "it is encrypted; unpack the archive with its password and add the files"
    if (member.external_attr >> 16) & 0o170000 not in (0, 0o100000):
        return "it is a link or a device, not a file"
    if member.file_size > MEMBER_BYTES:
        return f"it has {member.file_size / 1e6:,.0f} MB; files of up to {MEMBER_BYTES // 1_000_000} MB are read"
    return ""


def _tar_members(path: Path, name: str, limit_bytes: int) -> Iterator[tuple[str, IO[bytes] | str]]:
    unpacked = number = 0
    try:
        with tarfile.open(path, errors="surrogateescape") as archive:
            for member in archive:
                inner = member.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
                if member.isdir():
                    continue
                number += 1
                unpacked += member.size
                _check_stream(name, unpacked, path, limit_bytes)
                if number > MEMBERS:
                    yield "…", f"only the first {MEMBERS:,} files were read"
                    return
                if why := fault_of(inner) or _tar_fault(member):
                    yield inner, why
                elif (file := archive.extractfile(member)) is not None:
                    yield inner, file
    except Broken as error:
        if not number:
            raise damaged(name) from error
        yield "…", "the rest of the archive is damaged or missing"


def _tar_fault(member: tarfile.TarInfo) -> str:
    if not member.isfile():
        return "it is a link or a device, not a file"
    if member.size > MEMBER_BYTES:
        return f"it has {member.size / 1e6:,.0f} MB; files of up to {MEMBER_BYTES // 1_000_000} MB are read"
    return ""


def _single_member(path: Path, name: str) -> Iterator[tuple[str, IO[bytes] | str]]:
    """A file that was compressed by itself."""
    with path.open("rb") as file:
        magic = file.read(2)
    try:
        with _opened(path, magic) as stream:
            yield name.rpartition(".")[0] or name, stream
    except Broken as error:
        raise damaged(name) from error


def _opened(path: Path, magic: bytes) -> IO[bytes]:
    if magic == b"\x1f\x8b":
        return gzip.open(path)  # type: ignore[return-value]
    return bz2.open(path) if magic == b"BZ" else lzma.open(path)


def _check_stream(name: str, unpacked: int, path: Path, limit_bytes: int) -> None:
    ratio = unpacked / max(1, path.stat().st_size)
    if unpacked > limit_bytes or (unpacked > SMALL_BYTES and ratio > UNPACKED_RATIO):
        raise _too_large(name, unpacked)


def _too_large(name: str, unpacked: int) -> Unreadable:
    return Unreadable(
        f"{name} would unpack to {unpacked / 1e6:,.0f} MB or more and was not opened.",
        "Split it, or save it without pictures.",
    )
