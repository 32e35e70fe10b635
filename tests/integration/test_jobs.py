"""The queue: files go in at once, and are read in whatever happens meanwhile. Real Chroma and SQLite; a quick stand-in embeds
where the vectors do not matter."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from knowledge.documents import Chunk
from knowledge.jobs import new_job
from knowledge.knowledge_base import Ingest, Job, KnowledgeBase, KnowledgeError, Source
from tests.documents import write_pdf
from tests.quick_words import Words, working

FACTS = "\n\n".join(f"Paragraph {i} about the harbour of Delft. " * 10 for i in range(60))


async def until(base: KnowledgeBase, job: Job, state: str) -> Job:
    for _ in range(600):
        (now,) = [j for j in base.jobs() if j.id == job.id]
        if now.state == state:
            return now
        await asyncio.sleep(0.02)
    raise AssertionError(f"{now}")


@pytest.fixture
def words() -> Words:
    return Words()


@pytest.fixture
async def base(tmp_path: Path, words: Words) -> AsyncIterator[KnowledgeBase]:
    base = KnowledgeBase(tmp_path / "knowledge", words.embed, "words")
    yield base
    await base.close()


def note(folder: Path, text: str, name: str = "note.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


async def found(base: KnowledgeBase, query: str) -> list[str]:
    return [p.text for p in await base.search(query, k=50)]


async def test_a_file_waits_in_the_queue_until_it_is_worked_off(base, tmp_path):
    [job] = base.enqueue([note(tmp_path, "Bread arrives before six.")])
    assert (job.state, base.sources()) == ("waiting", [])
    async with working(base):
        await base.settled()
    [done] = base.jobs()
    assert (done.state, done.fraction, done.title) == ("done", 1.0, "note.txt")
    assert done.finished
    assert await found(base, "bread") == ["Bread arrives before six."]


async def test_a_folder_becomes_a_job_for_every_file_in_it(base, tmp_path):
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    note(folder, "One.", "one.txt")
    note(folder / "deep", "Two.", "two.txt")
    note(folder / ".hidden", "Three.", "three.txt")
    (folder / "deep" / "loop").symlink_to(folder)
    [job] = base.enqueue([folder], names=["papers"])
    async with working(base):
        await base.settled()
    assert {s.source for s in base.sources()} == {"papers/one.txt", "papers/deep/two.txt"}
    assert [j.batch for j in base.jobs()] == [job.id] * 3


async def test_a_paused_job_keeps_its_pages_and_goes_on_where_it_was(base, tmp_path, words):
    words.after = 20
    [job] = base.enqueue([note(tmp_path, FACTS)])
    async with working(base):
        while len(words.asked) < 20:
            await asyncio.sleep(0.01)
        await base.pause(job.id)
        words.gate.set()
        paused = await until(base, job, "paused")
        assert 0 < paused.fraction < 1
        assert [s.state for s in base.sources()] == ["partial"]
        assert {p.state for p in await base.search("harbour")} == {"partial"}
        embedded = len(words.asked)
        await base.resume(job.id)
        await base.settled()
    assert [s.state for s in base.sources()] == ["indexed"]
    assert len([t for t in words.asked if t != "harbour"]) == base.sources()[0].chunks
    assert embedded < len(words.asked)


async def test_a_cancelled_job_leaves_nothing_behind(base, tmp_path, words):
    words.after = 20
    [job] = base.enqueue([note(tmp_path, FACTS)])
    async with working(base):
        while len(words.asked) < 20:
            await asyncio.sleep(0.01)
        await base.cancel(job.id)
        words.gate.set()
        await until(base, job, "cancelled")
    assert base.sources() == []
    assert await found(base, "harbour") == []


async def test_a_job_that_fails_says_why_and_can_be_tried_again(base, tmp_path):
    path = note(tmp_path, "")
    [job] = base.enqueue([path])
    async with working(base):
        failed = await until(base, job, "failed")
        assert "empty" in failed.message
        assert failed.remedy
        path.write_text("Now it has words.")
        await base.resume(job.id)
        await until(base, job, "done")
    assert await found(base, "words") == ["Now it has words."]


async def test_jobs_survive_a_restart(base, tmp_path, words):
    base.enqueue([note(tmp_path, "Bread arrives before six."), write_pdf(tmp_path / "a.pdf")])
    await base.close()
    again = KnowledgeBase(tmp_path / "knowledge", words.embed, "words")
    async with working(again):
        await again.settled()
    assert [j.state for j in again.jobs()] == ["done", "done"]
    await again.close()


async def test_a_handed_over_file_is_kept_under_the_name_of_its_content(base, tmp_path):
    upload, kept = note(tmp_path, "Handed over.", "tmp123"), tmp_path / "kept"
    base.enqueue([upload], names=["Report.TXT"], keep_files=kept)
    assert not upload.exists()
    async with working(base):
        await base.settled()
        await asyncio.sleep(0.1)
    [source] = base.sources()
    assert source.source == "Report.TXT"
    assert [p.relative_to(kept).as_posix() for p in kept.rglob("*") if p.is_file()] == [f"{source.sha256}.txt"]


async def test_two_uploads_of_one_file_at_once_are_embedded_once(base, tmp_path, words):
    path = note(tmp_path, FACTS)
    other = note(tmp_path, FACTS, "copy.txt")
    base.enqueue([path, path, other])
    async with working(base):
        await base.settled()
    assert [j.state for j in base.jobs()] == ["done"] * 3
    assert [s.state for s in base.sources()] == ["indexed"] * 2
    assert len(words.asked) == len(set(words.asked)) == base.sources()[0].chunks


async def test_a_changed_file_embeds_only_its_changed_chunks(base, tmp_path, words):
    parts = [f"# Harbour {i}\n\n" + f"Section {i} tells of harbour number {i}. " * 12 for i in range(12)]
    path = note(tmp_path, "\n\n".join(parts))
    async with working(base):
        await base.ended([job.id for job in base.enqueue([path])])
        before = len(words.asked)
        parts[5] = "# Harbour 5\n\nSection five was written anew, and is shorter."
        note(tmp_path, "\n\n".join(parts))
        await base.ended([job.id for job in base.enqueue([path])])
    [source] = base.sources()
    assert source.chunks >= 12
    assert len(words.asked) - before == 1
    assert "anew" in (await found(base, "written anew"))[0]


async def test_a_replaced_document_answers_as_before_until_the_new_one_is_whole(base, tmp_path, words):
    path = note(tmp_path, "The older version of the harbour.")
    async with working(base):
        await base.ended([job.id for job in base.enqueue([path])])
        words.after = len(words.asked) + 16
        note(tmp_path, FACTS)
        [job] = base.enqueue([path])
        await until_asked(words, words.after)
        assert {s.state for s in base.sources()} == {"indexed", "pending"}
        words.gate.set()
        assert await found(base, "harbour") == ["The older version of the harbour."]
        await until(base, job, "done")
    assert [s.state for s in base.sources()] == ["indexed"]
    assert "older" not in " ".join(await found(base, "harbour"))


async def until_asked(words: Words, number: int) -> None:
    for _ in range(600):
        if len(words.asked) >= number:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"only {len(words.asked)} texts were embedded")


async def test_three_hundred_files_at_once_all_go_in(base, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(300):
        note(folder, f"Locker {number} belongs to keeper {number * 7}.", f"{number}.txt")
    async with working(base):
        base.enqueue(sorted(folder.iterdir()))
        await asyncio.sleep(0.5)
        assert await base.search("keeper") is not None
        await base.settled()
    assert {job.state for job in base.jobs()} == {"done"}
    assert len(base.sources()) == 300
    assert (await found(base, "locker 211 keeper"))[0].startswith("Locker 211 ")


async def test_ten_thousand_tiny_files_wait_in_line_and_each_can_be_cancelled(base, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(10_000):
        (folder / f"{number}.txt").write_text(str(number))
    jobs = base.enqueue(sorted(folder.iterdir()))
    assert len(jobs) == len(base.jobs()) == 10_000
    assert {job.state for job in base.jobs()} == {"waiting"}
    await base.cancel(jobs[7_000].id)
    assert [job.title for job in base.jobs() if job.state == "cancelled"] == [jobs[7_000].title]


async def test_pages_that_were_not_read_are_listed_with_the_reason(base, tmp_path):
    write_pdf(tmp_path / "scan.pdf", ["First page.", "", "Third page."])
    async with working(base):
        [job] = base.enqueue([tmp_path / "scan.pdf"])
        done = await until(base, job, "done")
    [source] = base.sources()
    assert [skipped.page for skipped in source.skipped] == [2]
    assert (done.pages_done, done.pages) == (3, 3)
    assert base.page("First page", collection="none", number=1) is None
    page = base.page(source.source, collection="shared", number=3)
    assert page is not None
    assert "Third page." in page.text


async def test_jobs_of_others_are_asked_for_by_collection_and_by_time(base, tmp_path):
    base.enqueue([note(tmp_path, "One.", "1.txt")], collection="user-ada")
    await asyncio.sleep(0.01)
    [other] = base.enqueue([note(tmp_path, "Two.", "2.txt")], collection="user-bob")
    assert [job.title for job in base.jobs(["user-ada"])] == ["1.txt"]
    assert base.jobs(since=other.added) == [other]


async def test_what_another_process_forgets_leaves_the_vectors_too(base, tmp_path, words):
    async with working(base):
        await base.ended(
            [job.id for job in base.enqueue([note(tmp_path, "Forget me."), note(tmp_path, "Not me.", "b")])]
        )
        second = KnowledgeBase(tmp_path / "knowledge", words.embed, "words")
        await second.forget(str(tmp_path / "note.txt"))
        await second.close()
        assert await found(base, "forget") == ["Not me."]
        for _ in range(100):
            if base._index._store.count("shared") == 1:
                break
            await asyncio.sleep(0.02)
    assert base._index._store.count("shared") == 1


async def test_everything_is_forgotten_down_to_the_bytes(base, tmp_path):
    base.enqueue([note(tmp_path, "The password is swordfish."), write_pdf(tmp_path / "a.pdf")])
    async with working(base):
        await base.settled()
    assert await base.forget_all() == 2
    assert (base.sources(), base.jobs()) == ([], [])
    stored = b"".join(p.read_bytes() for p in (tmp_path / "knowledge").rglob("*") if p.is_file())
    assert b"swordfish" not in stored
    assert b"note.txt" not in stored


async def test_everything_is_exported_as_json_lines_with_the_kept_files(base, tmp_path):
    kept = tmp_path / "kept"
    base.enqueue([note(tmp_path, "Bread arrives before six.")], names=["Bread.txt"], keep_files=kept)
    async with working(base):
        await base.settled()
    assert await base.export(tmp_path / "out", kept=kept) == 1
    [source] = map(json.loads, (tmp_path / "out" / "sources.jsonl").read_text().splitlines())
    [passage] = map(json.loads, (tmp_path / "out" / "passages.jsonl").read_text().splitlines())
    assert (source["source"], passage["text"]) == ("Bread.txt", "Bread arrives before six.")
    assert (tmp_path / "out" / "files" / f"{source['sha256']}.txt").read_text() == "Bread arrives before six."
    with pytest.raises(KnowledgeError, match="not empty"):
        await base.export(tmp_path / "out")


async def test_repair_mends_words_and_vectors_without_embedding(base, tmp_path, words):
    base.enqueue([note(tmp_path, FACTS)])
    async with working(base):
        await base.settled()
    assert all(finding.ok for finding in await base.repair())
    base._index._store.remove("shared", base._index.database.vectors("shared")[0][:3])
    with sqlite3.connect(tmp_path / "knowledge" / "knowledge.sqlite3") as db:
        db.execute("INSERT INTO words (words, rowid, text) SELECT 'delete', rowid, text FROM chunks LIMIT 2")
    asked = len(words.asked)
    assert {f.name for f in await base.repair() if not f.ok} == {"lexical index words", "vectors of shared"}
    assert all(finding.ok for finding in await base.repair())
    assert len(words.asked) == asked


async def test_an_archive_becomes_a_job_for_every_member_and_its_path_tricks_are_named(base, tmp_path):
    with zipfile.ZipFile(tmp_path / "papers.zip", "w") as archive:
        archive.writestr("deep/one.txt", "The first paper is about bread.")
        archive.writestr("../../outside.txt", "This wants to lie elsewhere.")
        archive.writestr("/etc/absolute.txt", "This too.")
        archive.writestr("two.md", "The second paper is about salt.")
    kept = tmp_path / "kept"
    [job] = base.enqueue([tmp_path / "papers.zip"], names=["papers.zip"], keep_files=kept)
    async with working(base):
        await base.ended([job.id])
    assert {s.source for s in base.sources()} >= {"papers.zip/deep/one.txt", "papers.zip/two.md"}
    [unfolded] = [j for j in base.jobs() if j.id == job.id]
    assert "outside.txt" in unfolded.message
    assert not (tmp_path.parent / "outside.txt").exists()
    assert {p.stem for p in kept.rglob("*") if p.is_file()} == {s.sha256 for s in base.sources()}
    assert list((tmp_path / "knowledge" / "unpacked").rglob("*")) == []


async def test_a_document_that_is_forgotten_while_it_is_read_stays_away(base, tmp_path, words):
    words.after = 20
    path = note(tmp_path, FACTS)
    [job] = base.enqueue([path])
    async with working(base):
        await until_asked(words, 20)
        await base.forget(str(path))
        words.gate.set()
        await until(base, job, "cancelled")
    assert base.sources() == []
    assert await found(base, "harbour") == []


async def test_a_copy_of_a_document_that_is_there_takes_over_its_pages(base, tmp_path, words):
    words.after = 20
    half, whole = note(tmp_path, FACTS, "half.txt"), note(tmp_path, FACTS, "whole.txt")
    async with working(base):
        [job] = base.enqueue([half])
        await until_asked(words, 20)
        await base.pause(job.id)
        words.gate.set()
        await until(base, job, "paused")
        await base.ended([other.id for other in base.enqueue([whole])])
        embedded = len(words.asked)
        await base.resume(job.id)
        await until(base, job, "done")
    assert len(words.asked) == embedded
    assert len({source.chunks for source in base.sources()}) == 1
    page = base.page(str(half), collection="shared", number=None)
    assert page is not None
    assert page.text == FACTS


async def test_what_is_heard_while_everything_is_forgotten_stays_away(base, tmp_path):
    began, gate = asyncio.Event(), asyncio.Event()

    async def hear(ingest: Ingest) -> Source:
        began.set()
        await gate.wait()
        return await base.add_chunks([Chunk("A lamp at sea.", None)], source=ingest.source, sha256="heard")

    base.readers.append(hear)
    base.enqueue([note(tmp_path, "A recording.")])
    async with working(base):
        await began.wait()
        forgetting = asyncio.create_task(base.forget_all())
        await asyncio.sleep(0.1)
        gate.set()
        await forgetting
        assert (base.sources(), base.jobs()) == ([], [])
    assert await found(base, "lamp") == []


async def test_a_document_that_is_read_while_everything_is_forgotten_stays_away(base, tmp_path, words):
    words.after = 20
    base.enqueue([note(tmp_path, FACTS)])
    async with working(base):
        await until_asked(words, 20)
        forgetting = asyncio.create_task(base.forget_all(["shared"]))
        await asyncio.sleep(0.1)
        words.gate.set()
        await forgetting
    assert (base.sources(), base.jobs()) == ([], [])


@pytest.mark.parametrize("wish", ["cancel", "pause", "forget_all"])
async def test_an_archive_that_is_given_up_as_it_is_unpacked_becomes_no_jobs(base, tmp_path, wish):
    [job] = base.enqueue([note(tmp_path, "An archive.")])
    base._jobs.claim(files=True)
    if wish == "forget_all":
        base._index.forget_all(None)
    else:
        await getattr(base, wish)(job.id)
    member = new_job(tmp_path / "member.txt", "member.txt", "member.txt", "shared", batch=job.id)
    assert not base._jobs.unfold(job, [member], "1 file")
    assert member.id not in [left.id for left in base.jobs()]


async def test_a_job_that_is_gone_is_one_to_end(base, tmp_path):
    [job] = base.enqueue([note(tmp_path, "One.")])
    assert base._jobs.wanted([job.id]) == {}
    base._index.forget_all(None)
    assert base._jobs.wanted([job.id]) == {job.id: "cancelled"}


async def test_a_job_that_has_ended_is_not_put_back(base, tmp_path):
    [job] = base.enqueue([note(tmp_path, "One.")])
    await base.cancel(job.id)
    base._jobs.put_back(job.id)
    assert [ended.state for ended in base.jobs()] == ["cancelled"]


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


async def test_only_the_newest_version_of_a_file_is_kept(base, tmp_path):
    kept = tmp_path / "kept"
    async with working(base):
        for text in ("The first version.", "The second version."):
            [job] = base.enqueue([note(tmp_path, text)], names=["v.txt"], keep_files=kept)
            await base.ended([job.id])
    [source] = base.sources()
    assert files_below(kept) == {f"{source.sha256}.txt"}


async def test_a_version_that_another_document_has_too_stays_kept(base, tmp_path):
    kept = tmp_path / "kept"
    async with working(base):
        for name, text in (("v.txt", "One."), ("other.txt", "One."), ("v.txt", "Two.")):
            await base.ended([j.id for j in base.enqueue([note(tmp_path, text)], names=[name], keep_files=kept)])
    assert files_below(kept) == {f"{source.sha256}.txt" for source in base.sources()}
    assert len(files_below(kept)) == 2


@pytest.mark.parametrize("end", ["cancel", "forget", "forget_all"])
async def test_a_file_that_failed_goes_when_it_is_given_up(base, tmp_path, end):
    kept = tmp_path / "kept"
    [job] = base.enqueue([note(tmp_path, "")], names=["empty.txt"], keep_files=kept)
    async with working(base):
        await until(base, job, "failed")
        assert files_below(kept) == {f"incoming/{job.id}/empty.txt"}
        await {"cancel": lambda: base.cancel(job.id), "forget": lambda: base.forget("empty.txt")}.get(
            end, base.forget_all
        )()
    assert files_below(kept) == set()
    assert [left.state for left in base.jobs()] == ([] if end == "forget_all" else ["cancelled"])


async def test_an_unpacking_that_fails_leaves_nothing_unpacked(base, tmp_path):
    path = tmp_path / "papers.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("one.txt", "The first paper is about bread.")
    [job] = base.enqueue([path])
    folder = tmp_path / "knowledge" / "unpacked" / job.id

    def unfold(*_arguments: object) -> bool:
        assert folder.is_dir()
        return False

    base._jobs.unfold = unfold
    async with working(base):
        await until(base, job, "failed")
    assert not folder.exists()


async def test_what_waits_for_no_job_goes_when_the_next_reading_begins(base, tmp_path):
    kept = tmp_path / "kept"
    [waits] = base.enqueue([note(tmp_path, "Waits.")], names=["waits.txt"], keep_files=kept)
    await base.pause(waits.id)
    folders = [kept / "incoming" / "crashed", tmp_path / "knowledge" / "unpacked" / "crashed", Path(waits.path).parent]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        note(folder, "Left.", "left.txt")
        os.utime(folder, (0, 0))
    (kept / "incoming" / "arriving").mkdir()
    base.enqueue([note(tmp_path, "Another.")])
    async with working(base):
        await base.settled()
    assert [folder.exists() for folder in folders] == [False, False, True]
    assert (kept / "incoming" / "arriving").exists()


async def test_what_another_process_forgets_is_no_longer_read_here(base, tmp_path, words):
    began = asyncio.Event()

    async def hear(ingest: Ingest) -> Source:
        began.set()
        while not ingest.stop.is_set():
            await asyncio.sleep(0.01)
        raise KnowledgeError("Stopped.")

    base.readers.append(hear)
    base.enqueue([note(tmp_path, "A recording.")])
    other = KnowledgeBase(tmp_path / "knowledge", words.embed, "words")
    async with working(base):
        await began.wait()
        await other.forget_all()
        assert not base._worker._running
    assert (base.sources(), base.jobs()) == ([], [])
    await other.close()


def archive(folder: Path, name: str, **members: str) -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w") as packed:
        for inner, text in members.items():
            packed.writestr(f"{inner}.txt", text)
    return path


async def test_what_an_archive_holds_no_longer_is_taken_out_with_its_file(base, tmp_path):
    kept = tmp_path / "kept"
    async with working(base):
        for members in (
            {"a": "The anchor.", "b": "The buoy.", "c": "The crane."},
            {"a": "The anchor.", "c": "The crane."},
        ):
            path = archive(tmp_path, "sent.zip", **members)
            base.enqueue([path], names=["pack.zip"], keep_files=kept)
            await base.settled()
    assert sorted(s.source for s in base.sources()) == ["pack.zip/a.txt", "pack.zip/c.txt"]
    assert "The buoy." not in await found(base, "buoy")
    assert len(list(kept.glob("*.txt"))) == 2


async def test_a_member_that_is_only_left_out_now_keeps_its_text(base, tmp_path):
    async with working(base):
        for text in ("The buoy.", ""):
            base.enqueue([archive(tmp_path, "pack.zip", a="The anchor.", b=text)])
            await base.settled()
    assert [Path(s.source).name for s in base.sources()] == ["a.txt", "b.txt"]


async def test_a_folder_that_is_called_like_an_archive_file_is_not_emptied_by_it(base, tmp_path):
    (tmp_path / "a.txt").write_text("The anchor.")
    async with working(base):
        base.enqueue([tmp_path / "a.txt"], names=["reports/a.txt"])
        base.enqueue([archive(tmp_path, "reports", b="The buoy.")], names=["reports"])
        await base.settled()
    assert sorted(s.source for s in base.sources()) == ["reports/a.txt", "reports/b.txt"]
