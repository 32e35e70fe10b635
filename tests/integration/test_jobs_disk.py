"""The queue on a full and on a read-only disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

NAMESPACE = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--mount", "--map-root-user")
START = """
import asyncio, subprocess, sys
from pathlib import Path
from knowledge.knowledge_base import KnowledgeBase, KnowledgeError
from tests.quick_words import Words, working

folder, small, large = map(Path, sys.argv[1:])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], check=True)

async def until(base, job, *states):
    while True:
        [now] = [j for j in base.jobs() if j.id == job.id]
        if now.state in states:
            return now
        await asyncio.sleep(0.05)
"""


def run(code: str, tmp_path: Path) -> list[str]:
    (tmp_path / "disk").mkdir()
    (tmp_path / "small.txt").write_text("The kept note.", "utf-8")
    large = "\n\n".join(f"Paragraph {i} of the harbour. " * 12 for i in range(6000))
    (tmp_path / "large.txt").write_text(large, "utf-8")
    files = [str(tmp_path / name) for name in ("disk", "small.txt", "large.txt")]
    command = [*NAMESPACE, sys.executable, "-c", f"{START}\n{code}\nasyncio.run(main())", *files]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert not done.returncode, done.stderr
    return done.stdout.splitlines()


def test_on_a_full_disk_a_job_fails_with_the_reason_and_goes_in_once_there_is_room(tmp_path: Path) -> None:
    code = """
async def main():
    base = KnowledgeBase(folder / "k", Words().embed, "words")
    async with working(base):
        one, two = base.enqueue([small, large])
        print((await until(base, one, "done", "failed")).state)
        failed = await until(base, two, "done", "failed")
        print(failed.state, failed.message, failed.remedy)
        print((await base.search("kept note"))[0].text, [Path(s.source).name for s in base.sources() if s.state == "indexed"])
        subprocess.run(["mount", "-o", "remount,size=100m", folder], check=True)
        await base.resume(two.id)
        print((await until(base, two, "done", "failed")).state, [s.state for s in base.sources()])
    await base.close()
"""
    first, second, left, again = run(code, tmp_path)
    assert first == "done"
    assert second.startswith("failed ")
    assert "space" in second
    assert left == "The kept note. ['small.txt']"
    assert again == "done ['indexed', 'indexed']"


def test_the_reason_fits_on_a_disk_that_something_else_filled_to_the_last_byte(tmp_path: Path) -> None:
    code = """
async def main():
    words = Words()
    words.after = 0
    base = KnowledgeBase(folder / "k", words.embed, "words")
    async with working(base):
        [job] = base.enqueue([small])
        await until(base, job, "reading", "indexing")
        with (folder / "filler").open("wb", buffering=0) as filler:
            try:
                while filler.write(bytes(512)):
                    pass
            except OSError:
                words.gate.set()
        failed = await until(base, job, "done", "failed")
        print(failed.state, failed.message)
        (folder / "filler").unlink()
        await base.resume(job.id)
        print((await until(base, job, "done", "failed")).state, (await base.search("kept note"))[0].text)
    await base.close()
"""
    failed, again = run(code, tmp_path)
    assert failed.startswith("failed ")
    assert "full" in failed
    assert again == "done The kept note."


def test_on_a_read_only_disk_nothing_is_taken_into_the_queue_and_that_is_said(tmp_path: Path) -> None:
    code = """
async def main():
    base = KnowledgeBase(folder / "k", Words().embed, "words")
    await base.add(small)
    await base.close()
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    base = KnowledgeBase(folder / "k", Words().embed, "words")
    async with working(base):
        try:
            base.enqueue([large])
        except KnowledgeError as error:
            print(error)
        print([p.text for p in await base.search("kept note")])
    await base.close()
"""
    said, found = run(code, tmp_path)
    assert "cannot be written" in said
    assert "ASSISTANT_HOME" in said
    assert found == "['The kept note.']"
