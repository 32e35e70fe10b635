"""A network namespace in which every address leads to this machine, and a watch over its packets: what a program sends to an address
beyond loopback is seen by the kernel, whoever in the program sends it. Linux; needs `unshare` and `ip`.

Run as a script inside the namespace: JSON Lines of commands on stdin, what came of each on stdout.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ETHERNET = 14
ENTER = ["unshare", "--map-root-user", "--net", sys.executable, __file__]


@dataclass(frozen=True)
class Watched:
    """`outside` are the addresses beyond loopback that packets went to meanwhile."""

    status: int
    stdout: str
    stderr: str
    outside: Sequence[str]


def why_not() -> str:
    """Why there can be no namespace here; empty where there can."""
    if not (shutil.which("unshare") and shutil.which("ip")):
        return "needs unshare and ip"
    tried = subprocess.run([*ENTER, "try"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"no network namespace: {tried.stderr.strip()[-200:]}"


def run_inside(commands: Sequence[Sequence[str]], environment: Mapping[str, str]) -> list[Watched]:
    """Run each command in one fresh namespace. A command that begins with GET is run as a server (the rest of it) until its address
    has answered once."""
    lines = "\n".join(json.dumps(list(command)) for command in commands)
    done = subprocess.run(
        ENTER, input=lines, env=dict(environment), capture_output=True, text=True, timeout=170, check=True
    )
    return [Watched(**json.loads(line)) for line in done.stdout.splitlines()]


class Watch:
    def __init__(self) -> None:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        for family in ("-4", "-6"):
            subprocess.run(["ip", family, "route", "add", "local", "default", "dev", "lo"], check=True)
        self._sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
        self._sniffer.bind(("lo", 0))
        self._outside: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def taken(self) -> list[str]:
        """What was seen since the last time, up to a packet of our own that is sent now."""
        mark = "192.0.2.77"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"mark", (mark, 9))
        while mark not in self._outside:
            time.sleep(0.01)
        seen, self._outside = self._outside, []
        return [address for address in dict.fromkeys(seen) if address != mark]

    def _read(self) -> None:
        while True:
            packet = self._sniffer.recv(65_536)
            kind, body = packet[12:ETHERNET], packet[ETHERNET:]
            if kind == b"\x08\x00":
                address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.IPv4Address(body[16:20])
            elif kind == b"\x86\xdd":
                address = ipaddress.IPv6Address(body[24:40])
            else:
                continue
            if not address.is_loopback:
                self._outside.append(str(address))


def serve_once(url: str, command: Sequence[str]) -> tuple[int, str, str]:
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    answer = ""
    while not answer and server.poll() is None:
        with contextlib.suppress(OSError):
            answer = urllib.request.urlopen(url, timeout=30).read().decode()
        time.sleep(0.1)
    server.send_signal(signal.SIGTERM)
    said, _ = server.communicate(timeout=30)
    return (0 if answer else 1), answer, said


def main() -> None:
    watch = Watch()
    for line in sys.stdin:
        command = json.loads(line)
        if command[0] == "GET":
            status, out, err = serve_once(command[1], command[2:])
        else:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            status, out, err = done.returncode, done.stdout, done.stderr
        seen = {"status": status, "stdout": out, "stderr": err, "outside": watch.taken()}
        sys.stdout.write(json.dumps(seen) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1:] == ["try"]:
        Watch().taken()
        sys.exit(0)
    os.chdir(Path(__file__).parents[1])
    main()
