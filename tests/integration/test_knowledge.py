"""The knowledge base with real Chroma, real SQLite and the starter embedding; also what a crash, a second process or a full
disk does to it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from knowledge.handbook import install_handbook
from knowledge.knowledge_base import KnowledgeBase, KnowledgeError
from tests.documents import write_pdf
from tools.engines.base import EngineOptions
from tools.engines.device import DeviceArbiter
from tools.engines.onnx import OnnxEmbedder, load_embedding

# A stand-in for the embedding in other processes: words to places, quick and the same every time.
OTHER_PROCESS = """
import asyncio, os, sys, threading, time, zlib
from pathlib import Path
import numpy as np
from knowledge.knowledge_base import KnowledgeBase, KnowledgeError

async def embed(texts):
    rows = np.full((len(texts), 64), 1e-3, dtype=np.float32)
    for row, text in zip(rows, texts):
        for word in text.lower().split():
            row[zlib.crc32(word.encode()) % 64] += 1
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)

folder = Path(sys.argv[1])
"""


def run(code: str, *args: object, prefix: tuple[str, ...] = ()) -> str:
    command = [*prefix, sys.executable, "-c", OTHER_PROCESS + code, *map(str, args)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert not done.returncode, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def engine(models_folder: Path) -> OnnxEmbedder:
    return load_embedding("all-MiniLM-L6-v2", EngineOptions(models_folder, DeviceArbiter()))


@pytest.fixture
async def base(tmp_path: Path, engine: OnnxEmbedder) -> AsyncIterator[KnowledgeBase]:
    base = KnowledgeBase(tmp_path / "knowledge", engine.embed, engine.name)
    yield base
    await base.close()


def note(folder: Path, text: str, name: str = "note.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


async def titles(base: KnowledgeBase, query: str, *collections: str) -> list[str]:
    return [p.title for p in await base.search(query, collections=collections or ("shared",))]


async def test_a_passage_is_found_by_meaning_with_its_page(base, tmp_path):
    await base.add(write_pdf(tmp_path / "contract.pdf"), source="contract.pdf")
    best = (await base.search("How can the contract be terminated?"))[0]
    assert (best.source, best.page) == ("contract.pdf", 2)
    assert "90 days" in best.text


async def test_a_rare_word_is_found_by_its_letters_and_without_accents(base, tmp_path):
    await base.add(note(tmp_path, "The part number is QX7731-B.", "a.txt"))
    await base.add(note(tmp_path, "Dépêchez-vous, dit le garçon.", "b.txt"))
    await base.add(note(tmp_path, "תקופת ההודעה היא שלושים יום.", "c.txt"))
    assert (await titles(base, "QX7731"))[0] == "a.txt"
    assert (await titles(base, "depechez"))[0] == "b.txt"
    assert (await titles(base, "תקופת ההודעה"))[0] == "c.txt"


async def test_queries_of_symbols_only_do_no_harm(base, tmp_path):
    await base.add(note(tmp_path, "Some text."))
    for query in ("", '"', "AND OR NOT", "a* (b", "?!", "'; DROP TABLE chunks"):
        assert isinstance(await base.search(query), list)


async def test_the_same_content_twice_is_not_embedded_again(base, tmp_path, engine):
    asked = []

    async def counting(texts):
        asked.extend(texts)
        return await engine.embed(texts)

    base.embedders.own = replace(base.embedders.own, behind=counting)
    path = note(tmp_path, "Bread arrives before six.")
    first, again = await base.add(path), await base.add(path)
    await base.add(path, collection="thread-1", source="upload.txt")
    assert again == first
    assert len(asked) == 1
    assert await titles(base, "When does bread arrive?", "thread-1") == ["upload.txt"]


async def test_a_changed_document_replaces_its_older_version(base, tmp_path):
    await base.add(note(tmp_path, "The price is 148 euros."))
    await base.add(note(tmp_path, "The price is 163 euros."))
    assert [p.text for p in await base.search("price")] == ["The price is 163 euros."]
    assert len(base.sources()) == 1


async def test_a_forgotten_document_leaves_text_vectors_and_words(base, tmp_path):
    source = await base.add(note(tmp_path, "The password is swordfish."))
    await base.add(note(tmp_path, "Unrelated.", "other.txt"))
    assert await base.forget(source.source) == 1
    assert await titles(base, "swordfish password") == ["other.txt"]
    await base.close()
    stored = b"".join(p.read_bytes() for p in (tmp_path / "knowledge").rglob("*.sqlite3*"))
    assert b"swordfish" not in stored


async def test_collections_are_kept_apart(base, tmp_path):
    await base.add(note(tmp_path, "Mine alone."), collection="thread-1")
    assert await titles(base, "alone", "thread-2") == []
    assert await titles(base, "alone", "thread-1") == ["note.txt"]


async def test_a_copy_stays_when_the_original_goes(base, tmp_path):
    source = await base.add(note(tmp_path, "Keep me."), collection="thread-1", source="note.txt")
    await base.copy("note.txt", from_collection="thread-1", to_collection="shared")
    await base.forget(source.source, collection="thread-1")
    assert await titles(base, "keep") == ["note.txt"]


async def test_near_duplicates_are_shown_once_but_other_numbers_are_kept(base, tmp_path):
    for name, text in {
        "a": "Revenue grew to 12 million.",
        "b": "Revenue grew to  12 million!",
        "c": "Revenue grew to 15 million.",
    }.items():
        await base.add(note(tmp_path, text, name))
    assert len(await base.search("revenue")) == 2


async def test_an_unreadable_file_leaves_nothing_behind(base, tmp_path):
    with pytest.raises(KnowledgeError, match="not a document"):
        await base.add(tmp_path / "knowledge" / "knowledge.sqlite3")
    assert base.sources() == []


async def test_stop_ends_an_ingest_and_leaves_nothing_behind(base, tmp_path):
    stop = threading.Event()
    path = note(tmp_path, "\n\n".join(f"Paragraph {i} about the harbour of Delft." * 10 for i in range(200)))
    with pytest.raises(KnowledgeError, match="stopped"):
        await base.add(path, stop=stop, progress=lambda fraction, _stage: stop.set() if fraction > 0.3 else None)
    assert base.sources() == []
    assert await titles(base, "harbour") == []


async def test_progress_runs_from_reading_to_the_end(base, tmp_path):
    seen = []
    await base.add(write_pdf(tmp_path / "a.pdf"), progress=lambda fraction, stage: seen.append((fraction, stage)))
    assert seen == sorted(seen, key=lambda step: step[0])
    assert (seen[0], seen[-1][0]) == ((0.0, "Reading a.pdf"), 1.0)


async def test_documents_are_there_after_a_restart(base, tmp_path, engine):
    await base.add(note(tmp_path, "Bread arrives before six."))
    await base.close()
    again = KnowledgeBase(tmp_path / "knowledge", engine.embed, engine.name)
    assert await titles(again, "bread") == ["note.txt"]
    await again.close()


@pytest.mark.parametrize("damage", ["chroma.sqlite3", "*/*.bin", ""])
async def test_a_damaged_vector_index_is_rebuilt_from_the_text_store(base, tmp_path, engine, damage):
    for i in range(30):
        await base.add(note(tmp_path, f"Item {i} is stored in hall {i * 7}.", f"{i}.txt"))
    await base.close()
    chroma = tmp_path / "knowledge" / "chroma"
    if not damage:
        shutil.rmtree(chroma)
    for file in chroma.glob(damage or "nothing"):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    again = KnowledgeBase(tmp_path / "knowledge", engine.embed, engine.name)
    assert (await again.search("Item 12"))[0].title == "12.txt"
    assert again._index._store.count("shared") == 30
    await again.close()


async def test_the_manual_alone_is_indexed_anew_for_another_embedding(base, tmp_path, engine):
    await base.add(note(tmp_path, "What can you do?"), collection="handbook")
    await base.close()

    async def embed(texts):
        return np.eye(8, dtype=np.float32)[[len(t) % 8 for t in texts]]

    other = KnowledgeBase(tmp_path / "knowledge", embed, "other")
    await other.add(note(tmp_path, "What else?"), collection="handbook")
    assert [s.sha256 for s in other.sources()] != []
    assert len(await other.search("What else?", collections=["handbook"])) == 1
    await other.close()


async def test_the_manual_answers_what_the_assistant_can_do_in_two_languages(base):
    await install_handbook(base)
    before = base.sources()
    await install_handbook(base)
    assert base.sources() == before
    assert "What this assistant can do" in await titles(base, "What can you do?", "handbook")
    assert (await titles(base, "Que sais-tu faire ?", "handbook"))[0] == "Ce que cet assistant sait faire"


async def test_a_second_writer_is_told_who_writes_and_may_still_search(base, tmp_path, engine):
    await base.add(note(tmp_path, "Bread arrives before six."))
    second = KnowledgeBase(tmp_path / "knowledge", engine.embed, engine.name)
    with pytest.raises(KnowledgeError, match=f"process {os.getpid()}"):
        await second.add(note(tmp_path, "More.", "more.txt"))
    assert await titles(second, "bread") == ["note.txt"]
    await second.close()


async def test_the_event_loop_stays_free_during_an_ingest(base, tmp_path):
    path = note(tmp_path, "\n\n".join(f"Paragraph {i} about the harbour." * 10 for i in range(100)))
    task, beats = asyncio.ensure_future(base.add(path)), 0
    while not task.done():
        await asyncio.sleep(0.01)
        beats += 1
    assert task.result().state == "indexed"
    assert beats > 10


def test_kill_minus_nine_in_the_middle_of_an_ingest_leaves_the_older_version(tmp_path):
    folder, path = tmp_path / "knowledge", tmp_path / "note.txt"
    path.write_text("The older version.")
    add = "async def main():\n base = KnowledgeBase(folder, embed, 'e')\n print(await base.add(Path(sys.argv[2])), flush=True)\n"
    run(add + " await base.close()\nasyncio.run(main())", folder, path)
    path.write_text("\n\n".join(f"Newer paragraph {i} of the harbour." * 10 for i in range(200)))
    slow = add.replace("embed,", "slow,") + "asyncio.run(main())"
    slow = "async def slow(texts):\n print('batch', flush=True); time.sleep(0.2); return await embed(texts)\n" + slow
    child = subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS + slow, folder, path], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout
    for _ in range(4):
        assert child.stdout.readline() == "batch\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    look = """
async def main():
    base = KnowledgeBase(folder, embed, "e")
    print([p.text for p in await base.search("version harbour", k=9)], [(s.state, s.chunks) for s in base.sources()])
    print((await base.add(Path(sys.argv[2]))).state, len(await base.search("harbour", k=9)), len(base.sources()))
    await base.close()
asyncio.run(main())
"""
    after, added = run(look, folder, path).splitlines()
    assert after == "['The older version.'] [('indexed', 1), ('failed', 0)]"
    assert added == "indexed 9 1"
    with sqlite3.connect(folder / "knowledge.sqlite3") as database:
        assert database.execute("SELECT count(*) FROM stale").fetchone() == (0,)


NAMESPACE = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--mount", "--map-root-user")


def test_a_full_disk_is_one_clear_line_and_loses_nothing(tmp_path):
    code = """
import subprocess
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=True)
async def main():
    base = KnowledgeBase(folder / "k", embed, "e")
    note = Path(sys.argv[2])
    note.write_text("The kept note.")
    await base.add(note, source="kept")
    note.write_text("\\n\\n".join(f"Paragraph {i} of the harbour." * 12 for i in range(9000)))
    try:
        await base.add(note, source="large")
    except KnowledgeError as error:
        print(error)
    print([p.text for p in await base.search("kept note")], [s.source for s in base.sources() if s.state == "indexed"])
asyncio.run(main())
"""
    (tmp_path / "disk").mkdir()
    said, left = run(code, tmp_path / "disk", tmp_path / "note.txt", prefix=NAMESPACE).splitlines()
    assert "full" in said or "cannot be written" in said
    assert left == "['The kept note.'] ['kept']"


def test_on_a_read_only_disk_one_can_search_but_not_add(tmp_path):
    code = """
import subprocess
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
async def main():
    note = Path(sys.argv[2])
    note.write_text("The kept note.")
    base = KnowledgeBase(folder / "k", embed, "e")
    await base.add(note)
    await base.close()
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    base = KnowledgeBase(folder / "k", embed, "e")
    print([p.text for p in await base.search("kept")])
    note.write_text("More.")
    try:
        await base.add(note)
    except KnowledgeError as error:
        print(error)
asyncio.run(main())
"""
    (tmp_path / "disk").mkdir()
    found, said = run(code, tmp_path / "disk", tmp_path / "note.txt", prefix=NAMESPACE).splitlines()
    assert found == "['The kept note.']"
    assert "read-only" in said
    assert "ASSISTANT_HOME" in said


def test_a_damaged_database_file_is_one_clear_line(tmp_path):
    (tmp_path / "knowledge.sqlite3").write_bytes(b"not a database at all" * 500)
    with pytest.raises(KnowledgeError, match="damaged"):
        KnowledgeBase(tmp_path, None, "e")


def test_opening_imports_no_chroma(tmp_path):
    assert run("KnowledgeBase(folder, embed, 'e'); print('chromadb' in sys.modules)", tmp_path / "k") == "False\n"
