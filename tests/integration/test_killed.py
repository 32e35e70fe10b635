"""kill -9 in the middle of an answer: the question and the words so far are kept, and the thread goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assistant.history import History, sqlite_url

ASSISTANT = str(Path(sys.executable).parent / "assistant")


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "ASSISTANT_HOME": str(home), "ASSISTANT_CHAT": "llama-cpp:smollm2-135m-instruct"}


async def test_a_killed_answer_loses_neither_question_nor_thread(home: Path, environment: dict[str, str]) -> None:
    question = "Write a very long story about the sea and the people who live beside it."
    command = [ASSISTANT, "ask", question, "--thread", "t", "--tool", "write_text"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    process.stdout.read(40)
    time.sleep(2.5)
    process.send_signal(signal.SIGKILL)
    process.wait(10)

    history = History(sqlite_url(home))
    (turn,) = await history.turns("t")
    assert turn.request == question and turn.state == "running" and turn.answer
    assert await history.mark_interrupted() == 1
    await history.close()

    again = subprocess.run(
        [ASSISTANT, "ask", "Go on.", "--thread", "t", "--tool", "write_text", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert '"event": "done"' in again.stdout


async def test_stopping_with_ctrl_c_keeps_what_was_answered(home: Path, environment: dict[str, str]) -> None:
    command = [ASSISTANT, "ask", "Write a long story about a forest.", "--thread", "t", "--tool", "write_text"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    process.stdout.read(40)
    process.send_signal(signal.SIGINT)
    assert process.wait(15) == 130
    history = History(sqlite_url(home))
    (turn,) = await history.turns("t")
    await history.close()
    assert turn.state == "stopped" and turn.answer
