"""What a search finds, and why: words and trigrams, filters, follow-ups, fitted weights, a reranker. Real SQLite and Chroma; the
embedding is a stand-in that maps words to places, quick and the same every time."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from knowledge import filters, lexical
from knowledge.documents import Chunk, Passage
from knowledge.fitting import GRID, FitQuestion, fit
from knowledge.knowledge_base import Filter, KnowledgeBase, KnowledgeError
from knowledge.neighbours import Candidate
from knowledge.repair import repair_words
from knowledge.retrieval import Retriever
from knowledge.store import VectorStore
from knowledge.weights import dense_weights

TOWNS = ["Lille", "Metz", "Nantes", "Brest", "Dijon", "Tours", "Reims", "Rouen", "Caen", "Pau"]


async def embed(texts: Sequence[str]) -> np.ndarray:
    rows = np.full((len(texts), 64), 1e-3, dtype=np.float32)
    for row, text in zip(rows, texts, strict=True):
        for word in text.lower().split():
            row[zlib.crc32(word.encode()) % 64] += 1
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
async def base(tmp_path: Path) -> AsyncIterator[KnowledgeBase]:
    base = KnowledgeBase(tmp_path / "knowledge", embed, "words")
    yield base
    await base.close()


async def put(
    base: KnowledgeBase, source: str, *texts: str, collection: str = "shared", pages: Sequence[int] = ()
) -> None:
    chunks = [Chunk(text, pages[n] if pages else None) for n, text in enumerate(texts)]
    await base.add_chunks(
        chunks, source=source, sha256=f"{zlib.crc32((source + collection).encode()):064d}", collection=collection
    )


async def found(base: KnowledgeBase, query: str, **options: object) -> list[str]:
    return [p.source for p in await base.search(query, **options)]  # type: ignore[arg-type]


async def words_of(base: KnowledgeBase, query: str) -> dict[int, float]:
    with base._index.database.reading() as db:
        return lexical.match(db, query, filters.scope_of(db, ["shared"]), 10)


async def test_a_word_is_found_in_its_other_forms(base):
    await put(base, "a.txt", "The wings were measured in the tunnel.")
    await put(base, "b.txt", "The bread was baked in the oven.")
    best = (await base.search("measuring a wing"))[0]
    assert best.source == "a.txt"
    assert best.why.words == ("wings", "measured")


async def test_scripts_without_spaces_are_found_by_trigrams(base):
    await put(base, "zh.txt", "本合同的通知期为九十天,由双方签署。")
    await put(base, "ja.txt", "契約の通知期間は三十日です。")
    await put(base, "th.txt", "สัญญานี้มีผลบังคับใช้ตั้งแต่วันที่ลงนาม")
    for query, source in (
        ("通知期为九十天吗", "zh.txt"),
        ("通知期間は何日ですか", "ja.txt"),
        ("สัญญานี้มีผลเมื่อไร", "th.txt"),
    ):
        rows = await words_of(base, query)
        with base._index.database.reading() as db:
            best = max(rows, key=rows.__getitem__)
            assert db.execute(
                "SELECT s.source FROM chunks c JOIN sources s ON s.id = c.source_id WHERE c.rowid = ?", [best]
            ).fetchone() == (source,)


async def test_a_chinese_word_of_two_characters_is_found(base):
    await put(base, "zh.txt", "本合同的通知期为九十天,由双方签署。")
    await put(base, "other.txt", "我们每天早上六点送面包。")
    assert len(await words_of(base, "合同")) == 1
    best = (await base.search("合同"))[0]
    assert (best.source, best.why.words) == ("zh.txt", ("合同的",))


async def test_trigrams_are_kept_of_those_scripts_alone_and_go_with_their_document(base):
    await put(base, "en.txt", "Nothing but English letters.")
    await put(base, "zh.txt", "本合同的通知期为九十天。")
    with base._index.database.reading() as db:
        assert db.execute("SELECT count(*) FROM trigrams_docsize").fetchone() == (1,)
    await base.forget("zh.txt")
    assert not await words_of(base, "通知期为九十天")
    with base._index.database.reading() as db:
        assert db.execute("SELECT count(*) FROM trigram_terms").fetchone() == (0,)


async def test_both_lexical_indexes_are_checked_and_mended(base):
    await put(base, "en.txt", "Nothing but English letters.")
    await put(base, "zh.txt", "本合同的通知期为九十天。")
    assert [(one.name, one.ok) for one in repair_words(base._index.database)] == [
        ("lexical index trigrams", True),
        ("lexical index words", True),
    ]
    with base._index.database.writing() as db:
        db.execute("INSERT INTO trigrams (trigrams) VALUES ('delete-all')")
    assert not await words_of(base, "通知期为九十天")
    assert [one.ok for one in repair_words(base._index.database)] == [False, True]
    assert len(await words_of(base, "通知期为九十天")) == 1


async def test_an_older_index_is_made_anew_from_the_chunks_that_are_there(base, tmp_path):
    await put(base, "a.txt", "The wings were measured.", "本合同的通知期为九十天。")
    await base.close()
    with sqlite3.connect(tmp_path / "knowledge" / "knowledge.sqlite3") as old:
        for name in ("trigrams_in", "trigrams_out", "words_in", "words_out"):
            old.execute(f"DROP TRIGGER {name}")
        for name in ("trigram_terms", "trigrams", "words"):
            old.execute(f"DROP TABLE {name}")
        old.execute("DROP VIEW unspaced")
        old.execute("CREATE VIRTUAL TABLE words USING fts5 (text, content = 'chunks', content_rowid = 'rowid')")
        old.execute("DELETE FROM meta WHERE key = 'lexical'")
    again = KnowledgeBase(tmp_path / "knowledge", embed, "words")
    assert len(await words_of(again, "wing")) == 1
    assert len(await words_of(again, "通知期为九十天")) == 1
    await again.close()


async def test_a_question_of_a_thousand_words_and_quotes_is_searched(base):
    await put(base, "a.txt", "The notice period is 90 days.")
    query = 'What "is" the * notice AND (period) NEAR ' + " ".join(f"word{n}" for n in range(1000))
    assert await found(base, query) == ["a.txt"]


async def test_filters_choose_documents_and_pages(base):
    await put(base, "a.pdf", "Rent of the office.", "Rent of the garage.", pages=[1, 7])
    await put(base, "b.xlsx", "Rent of the shop.")
    await put(base, "https://example.org/rent", "Rent of the web.")
    await base.tag("b.xlsx", ["Finance", " finance ", "2026"])
    day = base.sources()[0].added[:10]
    wanted = {
        Filter(kinds=("pdf",)): {"a.pdf"},
        Filter(kinds=("sheet", "web")): {"b.xlsx", "https://example.org/rent"},
        Filter(kinds=("xlsx",)): {"b.xlsx"},
        Filter(sources=("b.xlsx",)): {"b.xlsx"},
        Filter(tags=("FINANCE",)): {"b.xlsx"},
        Filter(pages=(5, 9)): {"a.pdf"},
        Filter(since=day, until=day): {"a.pdf", "b.xlsx", "https://example.org/rent"},
        Filter(since="2999-01-01"): set(),
        Filter(kinds=("pdf",), tags=("finance",)): set(),
    }
    assert {where: set(await found(base, "rent", where=where)) for where in wanted} == wanted
    [page] = await base.search("rent", where=Filter(pages=(5, 9)))
    assert page.text == "Rent of the garage."


async def test_an_unknown_kind_lists_the_known_ones(base):
    await put(base, "a.pdf", "Rent.")
    with pytest.raises(KnowledgeError, match=r"no kind of document 'spreadsheat'.*sheet"):
        await base.search("rent", where=Filter(kinds=("spreadsheat",)))


async def test_tags_stay_with_a_newer_version_and_go_with_the_document(base):
    await put(base, "a.txt", "Rent.")
    assert await base.tag("a.txt", ["b", "a", "A"]) == ["a", "b"]
    await base.add_chunks([Chunk("Rent, raised.", None)], source="a.txt", sha256="f" * 64)
    assert base.tags("a.txt") == ["a", "b"]
    await base.forget("a.txt")
    await put(base, "a.txt", "Rent.")
    assert base.tags("a.txt") == []
    with pytest.raises(KnowledgeError, match="not in shared"):
        await base.tag("none.txt", ["a"])


async def test_few_filtered_chunks_are_compared_without_the_vector_index(base, monkeypatch):
    for town in TOWNS:
        await put(base, f"{town}.txt", f"The price in {town} is high.")

    def refuse(*_: object) -> None:
        raise AssertionError("the index was asked")

    monkeypatch.setattr(VectorStore, "nearest", refuse)
    assert await found(base, "price in Metz", where=Filter(sources=("Metz.txt", "Caen.txt"))) == [
        "Metz.txt",
        "Caen.txt",
    ]


async def test_many_filtered_chunks_come_from_the_index_asked_deeper(base, monkeypatch):
    monkeypatch.setattr(filters, "EXACT_ROWS", 1)
    for town in TOWNS * 3:
        await put(base, f"{town}.txt", *(f"{town} {n} {word}" for n, word in enumerate(["alpha", "beta", "gamma"])))
    where = Filter(sources=("Metz.txt", "Caen.txt"))
    assert set(await found(base, "alpha Lille", where=where)) == {"Metz.txt", "Caen.txt"}


async def test_the_nearest_are_the_same_by_comparison_and_by_the_index(base):
    for n, town in enumerate(TOWNS):
        await put(base, f"{town}.txt", f"The price in {town} is high." + " Very much so." * n)
    compared = Retriever(base._index.database, lambda _collection: None)
    both = []
    for retriever in (base._index._retriever, compared):
        with base._index.database.reading() as db:
            scope = filters.scope_of(db, ["shared"])
        vector = (await embed(["price in Metz"]))[0]
        both.append(set(retriever._nearest(vector, scope, ["shared"], 3, filtered=False)))
    assert both[0] == both[1]


async def test_a_follow_up_is_found_by_whichever_form_fits(base):
    await put(base, "notice.txt", "The notice period of the lease is 90 days.")
    await put(base, "rent.txt", "The rent of the lease is 900 euros.")
    alone = await base.search("And the notice?", also=["What is the rent of the lease?\nAnd the notice?"])
    assert {p.source for p in alone} == {"notice.txt", "rent.txt"}
    assert all(p.why.words for p in alone)


async def test_a_passage_tells_why_it_matched(base):
    await put(base, "a.txt", "The notice period is 90 days.")
    [passage] = await base.search("What is the notice?")
    assert passage.why.words == ("notice",)
    assert passage.why.meaning + passage.why.wording == pytest.approx(passage.score)
    assert passage.why.wording == pytest.approx(0.3)


async def test_neighbours_come_as_one_passage(base):
    await put(base, "a.pdf", "The notice period is long.", "The notice period is 90 days.", "Bread.", pages=[1, 1, 1])
    best = (await base.search("notice period"))[0]
    assert best.text.startswith("The notice period is long.\nThe notice period is 90 days.")


async def test_a_reranker_has_the_last_word(tmp_path):
    async def shortest(query: str, texts: Sequence[str]) -> list[float]:
        assert query == "price"
        return [1 / len(text) for text in texts]

    base = KnowledgeBase(tmp_path / "knowledge", embed, "words", rerank=shortest)
    await put(base, "long.txt", "The price, the price, the price of everything.")
    await put(base, "short.txt", "A price.")
    passages: list[Passage] = await base.search("price", k=1)
    assert [(p.source, p.score) for p in passages] == [("short.txt", 1 / 8)]
    await base.close()


async def test_questions_and_passages_are_embedded_apart(tmp_path):
    seen: list[str] = []

    async def questions(texts: Sequence[str]) -> np.ndarray:
        seen.extend(texts)
        return await embed(texts)

    base = KnowledgeBase(tmp_path / "knowledge", embed, "words", embed_questions=questions)
    await put(base, "a.txt", "A price.")
    await base.search("price?")
    assert seen == ["price?"]
    await base.close()


async def test_too_few_documents_leave_the_default_weight(base):
    await put(base, "a.txt", "The notice period is 90 days.")
    assert await base.fit("shared") is None


async def test_a_weight_is_fitted_on_the_documents_and_kept(base, tmp_path):
    for town in TOWNS:
        parts = [
            f"In {town} the river number {n} crosses valley {n} below bridge {n + 1} near {town}." for n in range(8)
        ]
        await put(base, f"{town}.txt", *parts)
    fitted = await base.fit("shared")
    assert fitted is not None
    assert fitted.questions >= 30
    assert len(fitted.gains) == len(GRID)
    again = KnowledgeBase(tmp_path / "knowledge", embed, "words")
    with again._index.database.reading() as db:
        assert dense_weights(db, ["shared", "none"]) == {"shared": fitted.dense}
    await again.close()


async def test_given_questions_are_checked_line_by_line(base, tmp_path):
    await put(base, "a.txt", "The notice period is 90 days.")
    path = tmp_path / "questions.jsonl"
    for text, complaint in (
        ("not json", "line 1 is not a question"),
        (json.dumps({"question": "q", "source": "b.txt"}), r"b\.txt is not in shared"),
        (json.dumps({"question": "How long is the notice?", "source": "a.txt"}), "holds 1 questions"),
    ):
        path.write_text(text, "utf-8")
        with pytest.raises(KnowledgeError, match=complaint):
            await base.fit("shared", path)


async def test_given_questions_fit_the_weight(base, tmp_path):
    for town in TOWNS:
        await put(base, f"{town}.txt", f"The price in {town} is high.")
    lines = [
        {"question": f"{word} in {town}?", "source": f"{town}.txt"}
        for town in TOWNS
        for word in ("price", "cost", "high")
    ]
    path = tmp_path / "questions.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines), "utf-8")
    fitted = await base.fit("shared", path)
    assert fitted is not None
    assert fitted.questions == 30


def candidates(*pairs: tuple[float, float]) -> list[Candidate]:
    return [Candidate(row, 1, row, None, similarity, wording, 0.5) for row, (similarity, wording) in enumerate(pairs)]  # type: ignore[arg-type]


def test_the_weight_that_finds_most_wins_where_it_matters_and_else_the_default_stays() -> None:
    right = FitQuestion("?", frozenset({0}))
    by_words = fit([right] * 40, [candidates((0.1, 1.0), (0.9, 0.3))] * 40)
    assert by_words.dense == 0.4
    assert by_words.gain(0.4) == 1.0
    either = fit([right] * 40, [candidates((0.9, 1.0), (0.1, 0.2))] * 40)
    assert either.dense == 0.7
