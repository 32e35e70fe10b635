"""The arbiter on a machine that is not at hand: one small GPU and plenty of memory."""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from tools.engines.device import DeviceArbiter, Resident, behind, devices_for, telling_place
from tools.engines.errors import OutOfMemory

GPU_BYTES = 1000


class Machine:
    """Keeps count of what is loaded where."""

    def __init__(self) -> None:
        self.used = {"cuda": 0, "cpu": 0}
        self.most = {"cuda": 0, "cpu": 0}
        self.log: list[str] = []

    def free(self, device: str) -> int:
        return (GPU_BYTES if device == "cuda" else 10 * GPU_BYTES) - self.used[device]

    def resident(self, name: str, size: int, concurrent: bool = False) -> Resident[str]:
        def load(device: str) -> str:
            self.used[device] += size
            self.most[device] = max(self.most[device], self.used[device])
            self.log.append(f"+{name}@{device}")
            return device

        def unload(device: str) -> None:
            self.used[device] -= size
            self.log.append(f"-{name}")

        return Resident(name, size, load, unload, lambda: ("cuda", "cpu"), concurrent)

    def slow(self, name: str, size: int) -> Resident[str]:
        """Takes its memory only at the end of loading, as real weights do."""
        quick = self.resident(name, size)

        def load(device: str) -> str:
            time.sleep(0.1)
            return quick.load(device)

        return replace(quick, load=load)


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def arbiter(machine: Machine) -> DeviceArbiter:
    return DeviceArbiter(machine.free)


async def test_weights_stay_resident_between_uses(machine: Machine, arbiter: DeviceArbiter) -> None:
    for _ in range(3):
        async with arbiter.use(machine.resident("speech", 400)) as device:
            assert device == "cuda"
    assert machine.log == ["+speech@cuda"]


async def test_the_longest_idle_makes_room(machine: Machine, arbiter: DeviceArbiter) -> None:
    for name in ("speech", "embedding", "speech"):
        async with arbiter.use(machine.resident(name, 400)):
            pass
    async with arbiter.use(machine.resident("image", 500)) as device:
        assert device == "cuda"
    assert "-embedding" in machine.log and "-speech" not in machine.log


async def test_what_never_fits_the_gpu_runs_on_the_cpu(machine: Machine, arbiter: DeviceArbiter) -> None:
    async with arbiter.use(machine.resident("text", 5000)) as device:
        assert device == "cpu"


async def test_a_caller_waits_for_a_busy_gpu(machine: Machine, arbiter: DeviceArbiter) -> None:
    order: list[str] = []

    async def work(name: str, hold: asyncio.Event | None = None) -> None:
        async with arbiter.use(machine.resident(name, 700)) as device:
            order.append(f"{name}@{device}")
            if hold:
                await hold.wait()

    hold = asyncio.Event()
    first = asyncio.create_task(work("image", hold))
    await asyncio.sleep(0.05)
    second = asyncio.create_task(work("speech"))
    await asyncio.sleep(0.05)
    hold.set()
    await asyncio.gather(first, second)
    assert order == ["image@cuda", "speech@cuda"]
    assert machine.used["cuda"] <= GPU_BYTES


async def test_a_caller_whose_patience_ends_takes_the_cpu(machine: Machine) -> None:
    arbiter = DeviceArbiter(machine.free, patience_s=0.05)
    async with arbiter.use(machine.resident("image", 700)), arbiter.use(machine.resident("speech", 700)) as device:
        assert device == "cpu"


async def test_callers_of_one_resident_queue_unless_it_is_concurrent(machine: Machine, arbiter: DeviceArbiter) -> None:
    async def peak(concurrent: bool) -> int:
        now = most = 0

        async def work() -> None:
            nonlocal now, most
            async with arbiter.use(machine.resident(f"m{concurrent}", 10, concurrent)):
                now += 1
                most = max(most, now)
                await asyncio.sleep(0.01)
                now -= 1

        await asyncio.gather(*(work() for _ in range(4)))
        return most

    assert await peak(concurrent=False) == 1
    assert await peak(concurrent=True) > 1


async def test_callers_are_served_in_the_order_they_came_and_hear_their_place(
    machine: Machine, arbiter: DeviceArbiter
) -> None:
    pictures = machine.slow("pictures", 100)
    served: list[int] = []
    heard: dict[int, list[int]] = {n: [] for n in range(4)}
    gates = [asyncio.Event() for _ in range(4)]

    async def caller(n: int) -> None:
        with telling_place(heard[n].append):
            async with arbiter.use(pictures):
                served.append(n)
                await gates[n].wait()

    tasks = []
    for n in range(4):
        tasks.append(asyncio.create_task(caller(n)))
        await until(lambda n=n: served == [0] if n == 0 else bool(heard[n]))
    assert heard == {0: [], 1: [1], 2: [2], 3: [3]}
    tasks[2].cancel()
    await until(lambda: heard[3] == [3, 2])
    gates[0].set()
    await until(lambda: served == [0, 1])
    late = asyncio.create_task(caller(2))
    gates[1].set()
    await until(lambda: served == [0, 1, 3])
    gates[3].set()
    gates[2].set()
    await asyncio.gather(late, tasks[0], tasks[1], tasks[3])
    assert served == [0, 1, 3, 2]
    assert heard[1] == [1, 0]
    assert heard[3] == [3, 2, 1, 0]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_running_out_of_memory_half_way_moves_on_to_the_cpu(machine: Machine, arbiter: DeviceArbiter) -> None:
    def work(device: str) -> str:
        if device == "cuda":
            raise OutOfMemory("too large for the card.")
        return f"done on {device}"

    async with arbiter.use(machine.resident("speech", 300)):
        pass
    assert await arbiter.run(machine.resident("image", 300), work) == "done on cpu"
    assert "-speech" in machine.log


async def test_weights_too_large_for_every_device_say_so(machine: Machine, arbiter: DeviceArbiter) -> None:
    with pytest.raises(OutOfMemory, match="smaller model"):
        async with arbiter.use(machine.resident("giant", 50_000)):
            pass


async def test_weights_that_are_still_loading_count(machine: Machine, arbiter: DeviceArbiter) -> None:
    async def work(resident: Resident[str]) -> None:
        async with arbiter.use(resident):
            pass

    await asyncio.gather(*(work(machine.slow(name, 700)) for name in ("image", "speech")))
    assert machine.most["cuda"] <= GPU_BYTES


async def test_a_load_whose_caller_left_serves_the_next_one(machine: Machine, arbiter: DeviceArbiter) -> None:
    async def work() -> str:
        async with arbiter.use(machine.slow("text", 300)) as device:
            return device

    first = asyncio.create_task(work())
    await asyncio.sleep(0.02)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await asyncio.wait_for(work(), 5) == "cuda"
    assert machine.log == ["+text@cuda"]


async def test_what_cannot_make_room_is_not_evicted(machine: Machine, arbiter: DeviceArbiter) -> None:
    async with arbiter.use(machine.resident("speech", 300)):
        pass
    async with arbiter.use(machine.resident("text", 5000)) as device:
        assert device == "cpu"
    assert "-speech" not in machine.log


async def test_a_failed_load_leaves_the_next_caller_free_to_try(machine: Machine, arbiter: DeviceArbiter) -> None:
    def broken(_: str) -> str:
        raise ValueError("damaged")

    bad = Resident("text", 10, broken, lambda _: None, lambda: ("cpu",))
    with pytest.raises(ValueError, match="damaged"):
        async with arbiter.use(bad):
            pass
    async with arbiter.use(machine.resident("text", 10)) as device:
        assert device == "cuda"


async def test_what_nobody_waits_for_is_run_behind_everything_else(machine: Machine, arbiter: DeviceArbiter) -> None:
    def niceness(_: str) -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    resident = machine.resident("text", 10)
    ahead = await arbiter.run(resident, niceness)
    with behind():
        assert await arbiter.run(resident, niceness) > ahead
    assert await arbiter.run(resident, niceness) == ahead


@pytest.mark.parametrize(
    ("wanted", "has_cuda", "expected"),
    [
        ("auto", False, ("cpu",)),
        ("auto", True, ("cuda", "cpu")),
        ("cpu", True, ("cpu",)),
        ("cuda", True, ("cuda", "cpu")),
    ],
)
def test_engines_prefer_the_gpu_unless_told(wanted: str, has_cuda: bool, expected: tuple[str, ...]) -> None:
    has: Callable[[], bool] = lambda: has_cuda  # noqa: E731
    assert devices_for(wanted, has) == expected
