"""What the turn costs beyond the model: `python -m tests.bench.chat [--model smollm2-135m-instruct]`.

The same question goes to the agent and straight to the engine, in turn. Tokens a second, time to the first token, prompt tokens
beyond the person's words, and how long the very first question takes in a fresh process.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from contextlib import aclosing
from pathlib import Path

from assistant.agent import Assistant, Turn
from assistant.bootstrap import build_assistant
from assistant.events import Routed, TextDelta, TurnDone
from assistant.settings import Chat, Settings
from tests.bench.pairs import PAIRS, differences, ratio, verdict
from tools.engines.base import Message
from tools.prompts import SYSTEM

MODELS = Path(__file__).parents[2] / ".venv" / "test-models"
QUESTIONS = ("What is the capital of Australia?", "Why is the sky blue?", "Name three uses of a hammer.")
TOKENS = 48


async def through_agent(assistant: Assistant, question: str) -> tuple[float, float, float, int]:
    """(tokens a second after the first, seconds to the first token, seconds to the decision, prompt tokens)."""
    started = time.perf_counter()
    first = decided = 0.0
    pieces = prompt = 0
    turn = Turn(question, options={"max_tokens": TOKENS, "temperature": 0.0})
    async with aclosing(assistant.reply(turn)) as events:
        async for event in events:
            if isinstance(event, Routed):
                decided = time.perf_counter() - started
            elif isinstance(event, TextDelta):
                first = first or time.perf_counter() - started
                pieces, last = pieces + 1, time.perf_counter() - started
            elif isinstance(event, TurnDone):
                prompt = event.usage.prompt_tokens or 0
    return (pieces - 1) / max(last - first, 1e-9), first, decided, prompt


async def directly(assistant: Assistant, question: str) -> tuple[float, float]:
    started = time.perf_counter()
    first = last = 0.0
    pieces = 0
    messages = [Message("system", SYSTEM), Message("user", question)]
    async for chunk in assistant.engines.text().stream(messages, max_tokens=TOKENS, temperature=0.0):
        if chunk.text:
            first = first or time.perf_counter() - started
            pieces, last = pieces + 1, time.perf_counter() - started
    return (pieces - 1) / max(last - first, 1e-9), first


async def measure(assistant: Assistant) -> bool:
    for question in QUESTIONS:
        await through_agent(assistant, question)
        await directly(assistant, question)
    agent, direct = [], []
    for n in range(PAIRS):
        question = QUESTIONS[n % len(QUESTIONS)]
        runs = [("agent", agent), ("direct", direct)]
        for name, kept in runs if n % 2 else reversed(runs):
            # A number of its own keeps either from finding the other's prompt in the runtime's cache.
            numbered = f"{question} ({2 * n + (name == 'agent')})"
            result = await (through_agent if name == "agent" else directly)(assistant, numbered)
            kept.append(result)  # type: ignore[attr-defined]
    prompt = max(run[3] for run in agent)  # type: ignore[misc]
    print(f"prompt tokens of a plain question, its own words included: {prompt}")
    speed = ratio([a[0] for a in agent], [d[0] for d in direct])
    late = differences([a[1] - a[2] for a in agent], [d[1] for d in direct])  # type: ignore[misc]
    return all(
        [
            verdict("tokens a second, agent over direct", speed, at_least=0.97),
            verdict("first token later than direct, routing aside, in seconds", late, at_most=0.05),
            prompt <= 220,
        ]
    )


async def after_stop(assistant: Assistant) -> bool:
    """How long after a long prompt was stopped half-read the next question is being worked on."""
    engine, late = assistant.engines.text(), []
    for n in range(PAIRS):
        long = [Message("user", f"{n} " + "lorem ipsum dolor " * 500)]
        async with aclosing(engine.stream(long, max_tokens=8, temperature=0)) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                if chunk.fraction:
                    break
        stopped = time.perf_counter()
        async for _ in engine.stream([Message("user", "Hi")], max_tokens=1, temperature=0):
            late.append(time.perf_counter() - stopped)
            break
    return verdict("model free again after stop, in seconds", differences(late, [0.0] * len(late)), at_most=1.0)


def first_question(model: str) -> bool:
    """A fresh process, from its start to the whole answer; the disk may still hold the weights in its cache."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "models").symlink_to(MODELS)
        environment = {**os.environ, "ASSISTANT_HOME": folder, "ASSISTANT_CHAT": f"llama-cpp:{model}"}
        started = time.perf_counter()
        command = [str(Path(sys.executable).parent / "assistant"), "ask", QUESTIONS[0]]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seconds = time.perf_counter() - started
    print(f"the very first question, answered: {seconds:.1f} s  goal 30 s: {'reached' if seconds <= 30 else 'MISSED'}")
    return seconds <= 30


async def main(model: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "models").symlink_to(MODELS)
        assistant = build_assistant(Settings(home=Path(folder), chat=Chat(f"llama-cpp:{model}")))
        reached = await measure(assistant) & await after_stop(assistant)
        started = time.perf_counter()
        await through_agent(assistant, QUESTIONS[0])
        print(f"a plain question once warm, answered: {time.perf_counter() - started:.1f} s  goal 10 s")
        await assistant.close()
    return reached


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", default="qwen2.5-coder-1.5b-instruct")
    chosen = options.parse_args()
    MODELS.mkdir(parents=True, exist_ok=True)
    sys.exit(0 if first_question(chosen.model) & asyncio.run(main(chosen.model)) else 1)
