"""One arbiter decides which weights are resident on which device.

Speech, diffusion, text and embeddings share one machine. Whoever wants to compute asks the arbiter for its weights; the arbiter
loads them where they fit, evicts what has idled longest, lets callers queue for what is busy, and falls back to the CPU.
It knows sizes and devices, never models.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from tools.engines.errors import OutOfMemory

CPU = "cpu"
CUDA = "cuda"
BEHIND_NICENESS = 10
PATIENCE_S = 30.0
"""How long a caller waits for a busy device before it settles for the next one."""

T = TypeVar("T")
R = TypeVar("R")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Resident(Generic[T]):
    """Weights that may be resident. `load(device)` and `unload` run in a worker thread; `load` raises OutOfMemory where it must.
    `devices()` lists where the engine can run, best first, and is asked in a worker too, since asking may import a runtime."""

    name: str
    size_bytes: int
    load: Callable[[str], T]
    unload: Callable[[T], None]
    devices: Callable[[], Sequence[str]]
    concurrent: bool = False
    least_bytes: Callable[[str], int] | None = None
    """What it can do with on a device, more slowly, where `size_bytes` are not to be had; `load` measures and chooses."""


@dataclass
class _Entry:
    device: str
    size_bytes: int
    unload: Callable[[Any], None]
    loaded: Any = None
    ready: bool = False
    users: int = 0
    loading: asyncio.Task[None] | None = None
    last_used: float = field(default_factory=time.monotonic)


class DeviceArbiter:
    def __init__(self, free_bytes: Callable[[str], int] | None = None, patience_s: float = PATIENCE_S) -> None:
        """`free_bytes(device)` measures free memory; another one serves to try a machine that is not at hand."""
        self._patience_s = patience_s
        self._free_bytes = free_bytes or measure_free_bytes
        self._entries: dict[str, _Entry] = {}
        self._lines: dict[str, list[object]] = {}
        self._changed = asyncio.Condition()
        self._waking: set[asyncio.Future[None]] = set()
        self.loading_s = 0.0
        """How long weights took to load, in all."""

    @contextlib.asynccontextmanager
    async def use(self, resident: Resident[T], *, without: Sequence[str] = ()) -> AsyncIterator[T]:
        """Lend the loaded weights. Callers of one resident queue in the order in which they came unless it is `concurrent`;
        `telling_place` hears where in the line they are.

        Raises: OutOfMemory when no device can hold it.
        """
        entry = await self._borrow(resident, without)
        try:
            yield entry.loaded
        finally:
            entry.users -= 1
            entry.last_used = time.monotonic()
            self._tell()

    async def run(self, resident: Resident[T], work: Callable[[T], R]) -> R:
        """Run plain `work(loaded)` in a worker. When memory runs out half-way: evict the idle, try again, then the next device."""
        full: list[str] = []
        retried = False
        while True:
            async with self.use(resident, without=full) as loaded:
                try:
                    return await _to_the_end(work, loaded)
                except OutOfMemory:
                    device = self.device_of(resident.name) or CPU
                    if device == CPU:
                        raise
                    log.warning("%s ran out of memory on %s", resident.name, device)
            if retried:
                full.append(device)
            retried = True
            await self.evict_idle(device)

    def device_of(self, name: str) -> str | None:
        """Where the named weights are resident now, or None."""
        entry = self._entries.get(name)
        return entry.device if entry and entry.ready else None

    def size_of(self, name: str) -> int | None:
        """Bytes that the named weights take where they are resident, or None."""
        entry = self._entries.get(name)
        return entry.size_bytes if entry and entry.ready else None

    def devices(self) -> dict[str, str]:
        """Name and device of everything that is resident now."""
        return {name: entry.device for name, entry in self._entries.items() if entry.ready}

    def busy_besides(self, *names: str) -> bool:
        """Whether other weights than the named ones are computed with now."""
        return any(entry.users for other, entry in self._entries.items() if other not in names)

    async def release(self, name: str) -> None:
        """Unload the named weights unless somebody uses them."""
        async with self._changed:
            entry = self._entries.get(name)
            if entry and entry.ready and not entry.users:
                await self._evict(name)

    async def evict_idle(self, device: str | None = None) -> None:
        """Unload everything that nobody uses (on one device, or everywhere)."""
        async with self._changed:
            for name, entry in list(self._entries.items()):
                if entry.ready and not entry.users and device in (None, entry.device):
                    await self._evict(name)

    async def _borrow(self, resident: Resident[T], without: Sequence[str]) -> _Entry:
        if resident.concurrent:
            return await self._lend(resident, without, lambda _: 0)
        told, tell = -1, _on_place.get()
        line, ticket = self._lines.setdefault(resident.name, []), object()
        line.append(ticket)

        def ahead(entry: _Entry | None) -> int:
            nonlocal told
            # Who loads the weights still stands in the line.
            place = line.index(ticket) + (1 if entry and entry.ready and entry.users else 0)
            if tell and place != told and (place or told > 0):
                tell(place)
            told = place
            return place

        try:
            return await self._lend(resident, without, ahead)
        finally:
            line.remove(ticket)
            self._tell()

    async def _lend(
        self, resident: Resident[T], without: Sequence[str], ahead: Callable[[_Entry | None], int]
    ) -> _Entry:
        """`ahead(entry)` tells how many others are served before this caller."""
        devices = [d for d in await asyncio.to_thread(resident.devices) if d not in without]
        deadline = time.monotonic() + self._patience_s
        async with self._changed:
            while True:
                entry = self._entries.get(resident.name)
                first = not ahead(entry)
                if entry is None and first:
                    device = await self._make_room(resident, devices, patient=time.monotonic() < deadline)
                    if device is not None:
                        entry = _Entry(device, resident.size_bytes, resident.unload, users=1)
                        self._entries[resident.name] = entry
                        entry.loading = asyncio.create_task(self._load(resident, entry))
                        break
                elif entry is not None and entry.ready and first:
                    entry.users += 1
                    return entry
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), max(deadline - time.monotonic(), 1.0))
        try:
            await asyncio.shield(entry.loading)
        except asyncio.CancelledError:
            entry.users -= 1  # what was being loaded stays, for whoever asks next
            raise
        except OutOfMemory:
            if len(devices) > 1 and entry.device != CPU:
                log.warning("%s did not fit %s", resident.name, entry.device)
                return await self._lend(resident, [*without, entry.device], ahead)
            raise
        return entry

    async def _load(self, resident: Resident[Any], entry: _Entry) -> None:
        started = time.monotonic()
        try:
            entry.loaded = await asyncio.to_thread(resident.load, entry.device)
            entry.ready = True
            self.loading_s += time.monotonic() - started
        except BaseException:
            self._entries.pop(resident.name, None)
            raise
        finally:
            self._tell()

    def _tell(self) -> None:
        """Wake whoever waits, without waiting here: a cancelled caller must not be held up."""
        task = asyncio.ensure_future(self._wake())
        self._waking.add(task)
        task.add_done_callback(self._waking.discard)

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _make_room(self, resident: Resident[Any], devices: Sequence[str], *, patient: bool) -> str | None:
        """The device that can hold `resident` now; None when the caller should wait for a busy one to be released.

        Raises: OutOfMemory when it would fit nowhere, however long one waits.
        """
        worth_waiting = False
        for device in devices:
            least = resident.least_bytes(device) if resident.least_bytes else resident.size_bytes
            if await self._make_free(device, resident.size_bytes) or await self._make_free(device, least):
                return device
            busy = sum(e.size_bytes for e in self._on(device))
            if busy and self._free(device) + busy >= resident.size_bytes:
                worth_waiting = True
                if patient:
                    return None
        if worth_waiting:
            return None
        free = self._free(devices[-1] if devices else CPU)
        raise OutOfMemory(
            f"{resident.name} needs {resident.size_bytes / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are free.",
            "Close other programs or choose a smaller model.",
        )

    async def _make_free(self, device: str, size_bytes: int) -> bool:
        """Whether so much is free, after what idled longest was evicted; nothing is where that would not be enough."""
        idle = sum(e.size_bytes for e in self._on(device) if e.ready and not e.users)
        while idle and self._free(device) < size_bytes <= self._free(device) + idle:
            name = self._longest_idle(device)
            if name is None:
                break
            idle -= self._entries[name].size_bytes
            await self._evict(name)
        return self._free(device) >= size_bytes

    def _on(self, device: str) -> list[_Entry]:
        return [entry for entry in self._entries.values() if entry.device == device]

    def _free(self, device: str) -> int:
        """Free memory, less what weights that are still loading will take."""
        return self._free_bytes(device) - sum(e.size_bytes for e in self._on(device) if not e.ready)

    def _longest_idle(self, device: str) -> str | None:
        idle = [(e.last_used, n) for n, e in self._entries.items() if e.device == device and e.ready and not e.users]
        return min(idle)[1] if idle else None

    async def _evict(self, name: str) -> None:
        entry = self._entries.pop(name)
        log.info("evicting %s from %s", name, entry.device)
        await asyncio.to_thread(entry.unload, entry.loaded)


_on_place: ContextVar[Callable[[int], None] | None] = ContextVar("on_place", default=None)


@contextlib.contextmanager
def telling_place(on_place: Callable[[int], None]) -> Iterator[None]:
    """Whoever waits in here for weights that others use hears how many are served before: `on_place(2)`, …, `on_place(0)`."""
    token = _on_place.set(on_place)
    try:
        yield
    finally:
        _on_place.reset(token)


_is_behind: ContextVar[bool] = ContextVar("is_behind", default=False)


@contextlib.contextmanager
def behind() -> Iterator[None]:
    """What is run in here that nobody waits for: the system lets everything else go first, where it can (Linux)."""
    token = _is_behind.set(True)
    try:
        yield
    finally:
        _is_behind.reset(token)


@functools.cache
def _quiet_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "behind", _lower_priority)


def _lower_priority() -> None:
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BEHIND_NICENESS)


def _start(work: Callable[[T], R], loaded: T) -> asyncio.Future[R]:
    if _is_behind.get():
        return asyncio.get_running_loop().run_in_executor(_quiet_thread(), work, loaded)
    return asyncio.ensure_future(asyncio.to_thread(work, loaded))


async def _to_the_end(work: Callable[[T], R], loaded: T) -> R:
    """Run in a worker. A cancelled caller leaves only after the worker has: until then the weights are lent."""
    task = _start(work, loaded)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        task.exception()  # nobody waits for it any more
        raise


def measure_free_bytes(device: str) -> int:
    """Free memory of "cpu" or "cuda", in bytes, as the system reports it."""
    if device == CPU:
        import psutil

        return int(psutil.virtual_memory().available)
    import pynvml

    pynvml.nvmlInit()
    return int(pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByIndex(0)).free)


def devices_for(wanted: str, has_cuda: Callable[[], bool]) -> tuple[str, ...]:
    """Where an engine may run, best first: `wanted` is "auto", "cpu" or "cuda"; on "cuda" a full card still falls back to the CPU."""
    if wanted == CPU or not has_cuda():
        return (CPU,)
    return (CUDA, CPU)


def worker_threads() -> int:
    """One thread fewer than the cores: with all of them busy, inference became ten times slower."""
    return max(1, (os.cpu_count() or 2) - 1)
