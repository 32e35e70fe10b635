"""Nothing leaves the machine: every command runs under a hook that ends the process at the first address beyond loopback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WATCHED = """
import ipaddress, os, sys

def watch(event, args):
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = args[0]
    elif event == "socket.connect" and isinstance(args[1], tuple):
        host = args[1][0]
    else:
        return
    if isinstance(host, bytes):
        host = host.decode()
    try:
        inside = ipaddress.ip_address(host).is_loopback
    except ValueError:
        inside = host in (None, "", "localhost")
    if not inside:
        print("LEFT THE MACHINE:", event, host, file=sys.stderr, flush=True)
        os._exit(86)

sys.addaudithook(watch)
from assistant.cli import main
sys.argv = ["assistant", *sys.argv[1:]]
main()
"""


def run_watched(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ASSISTANT_HOME": str(home), "ASSISTANT_CHAT": "llama-cpp:smollm2-135m-instruct"}
    command = [sys.executable, "-c", WATCHED, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)


def test_the_watch_notices_an_address_beyond_loopback(home: Path) -> None:
    environment = {**os.environ, "ASSISTANT_HOME": str(home), "ASSISTANT_CHAT_BASE_URL": "http://192.0.2.1:9/v1"}
    command = [sys.executable, "-c", WATCHED, "ask", "hello", "--tool", "write_text"]
    environment["ASSISTANT_CHAT"] = "openai-compatible:any"
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 86 and "192.0.2.1" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("ask", "Hello, who are you?", "--tool", "write_text"),
        ("ask", "What can you do?", "--tool", "search_knowledge"),
        ("route", "draw me a fox"),
        ("search", "privacy"),
        ("models",),
        ("check",),
    ],
)
def test_a_command_stays_on_the_machine(home: Path, arguments: tuple[str, ...]) -> None:
    done = run_watched(home, *arguments)
    assert "LEFT THE MACHINE" not in done.stderr and done.returncode in (0, 1), done.stderr


def test_transcribing_stays_on_the_machine(home: Path, tmp_path: Path) -> None:
    speech = tmp_path / "hello.wav"
    subprocess.run(["espeak-ng", "-w", str(speech), "Good morning everybody."], check=True)
    done = run_watched(home, "transcribe", str(speech))
    assert done.returncode == 0 and "morning" in done.stdout.lower(), done.stderr
