"""Nothing leaves the machine: commands run under a hook that ends the process at the first address beyond loopback, and offline ones
in a network namespace where the kernel tells of every packet, whichever process or library sends it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import namespace

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


WHY_NOT = namespace.why_not()


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
def test_offline_opens_nothing_beyond_loopback(home: Path, tmp_path: Path) -> None:
    """The chat model is a hosted one with a key, and a page and weights are asked for that lie elsewhere."""
    speech = tmp_path / "hello.wav"
    subprocess.run(["espeak-ng", "-w", str(speech), "Good morning everybody."], check=True)
    assistant = [sys.executable, "-m", "assistant.cli"]
    commands = {
        "hosted": ["ask", "Hello, who are you?", "--tool", "write_text"],
        "dry run": ["ask", "Hello, who are you?", "--dry-run"],
        "search": ["search", "privacy"],
        "speech": ["transcribe", str(speech)],
        "page": ["ingest", "https://example.org/page.html"],
        "weights": ["models", "pull", "diffusers:stabilityai/sd-turbo"],
        "check": ["check"],
        "models": ["models"],
    }
    watched = [
        ["getent", "hosts", "example.org"],
        *([*assistant, *command] for command in commands.values()),
        ["GET", "http://127.0.0.1:8899/", *assistant, "run", "--offline", "--port", "8899"],
    ]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ASSISTANT_")}
    environment = {
        **kept,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "ASSISTANT_HOME": str(home),
        "ASSISTANT_OFFLINE": "true",
        "ASSISTANT_CHAT": "openai:gpt-5-mini",
        "OPENAI_API_KEY": "sk-nothing",
        "HF_HUB_OFFLINE": "0",
    }
    noticed, *done, served = namespace.run_inside(watched, environment)
    assert noticed.outside, "the watch sees what does leave"
    results = dict(zip(commands, done, strict=True)) | {"served": served}
    assert {name: one.outside for name, one in results.items() if one.outside} == {}
    assert "Offline mode: openai:gpt-5-mini would leave this machine" in results["hosted"].stderr
    assert "morning" in results["speech"].stdout.lower(), results["speech"].stderr
    for name in ("dry run", "search", "models"):
        assert results[name].status == 0, results[name].stderr
    for name in ("hosted", "page", "weights"):
        assert results[name].status != 0
    assert served.status == 0 and "window.assistantTexts" in served.stdout, served.stderr


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
def test_an_answer_and_its_replay_stay_on_the_machine_and_are_the_same(home: Path) -> None:
    assistant = [sys.executable, "-m", "assistant.cli"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "ASSISTANT_HOME": str(home)}
    environment |= {"ASSISTANT_CHAT": "llama-cpp:smollm2-135m-instruct", "ASSISTANT_CHAT_MAX_TOKENS": "40"}
    question = ["ask", "Name three fruits.", "--tool", "write_text", "--json"]
    (asked,) = namespace.run_inside([[*assistant, *question]], environment)
    done = json.loads(asked.stdout.splitlines()[-1])
    assert done["usage"]["cost"] == 0 and done["usage"]["prompt_tokens"] > 20
    shown, again, changed = namespace.run_inside(
        [
            [*assistant, "receipts", "show", done["receipt"], "--json"],
            [*assistant, "replay", done["receipt"], "--json"],
            ["env", "ASSISTANT_CHAT_TEMPERATURE=1.9", *assistant, "replay", done["receipt"]],
        ],
        environment,
    )
    receipt = json.loads(shown.stdout)
    (weights,) = receipt["weights"].values()
    assert weights["sha256"] == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    assert receipt["calls"][0]["messages"][-1] == {"role": "user", "content": "Name three fruits."}
    replayed = json.loads(again.stdout)
    assert (again.status, replayed["same"], replayed["changed"]) == (0, True, []), again.stdout + again.stderr
    assert changed.status == 0, "the settings are those of the receipt"
    assert not (asked.outside or shown.outside or again.outside)
