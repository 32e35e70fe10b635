"""Chunks and sentences."""

from __future__ import annotations

import random
import re

import pytest

from knowledge.documents import Chunk, Page
from knowledge.splitting import CHUNK_TOKENS, estimate_tokens, split_pages, split_sentences

SENTENCE = "The supplier delivers fresh bread to all branches before half past six. "


def test_no_chunk_is_larger_than_the_embedding_reads():
    chunks = split_pages([Page(1, SENTENCE * 200), Page(2, "x" * 5000), Page(3, "面包" * 2000)])
    assert max(estimate_tokens(c.text) for c in chunks) <= CHUNK_TOKENS + 5


def test_nothing_of_the_text_is_lost():
    words = [f"word{i}" for i in range(3000)]
    seen = " ".join(c.text for c in split_pages([Page(None, " ".join(words))])).split()
    assert set(seen) == set(words)


def test_a_chunk_keeps_its_page_number_and_never_spans_two():
    chunks = split_pages([Page(1, "First page."), Page(2, "Second page.")])
    assert [(c.page, c.text) for c in chunks] == [(1, "First page."), (2, "Second page.")]


def test_each_chunk_of_a_section_begins_with_its_heading():
    chunks = split_pages([Page(None, f"# Delivery\n\n{SENTENCE * 30}\n\n# Price\n\n148 euros")])
    assert len(chunks) > 2
    assert all(c.text.startswith("Delivery\n") for c in chunks[:-1])
    assert chunks[-1].text == "Price\n148 euros"


def test_a_section_that_goes_on_overleaf_keeps_its_heading():
    chunks = split_pages([Page(1, "# Delivery\n\nBefore six."), Page(2, "Not on Sundays.")])
    assert chunks[1].text == "Delivery\nNot on Sundays."


def test_a_heading_goes_on_in_the_next_cell_and_not_in_the_next_file():
    cells = [Page(None, "# Study\n\nBread.", "cell 1"), Page(None, "1 + 1", "cell 2")]
    assert split_pages(cells)[1].text == "Study\n1 + 1"
    files = [Page(None, "# Study\n\nBread.", "a.md"), Page(None, "1 + 1", "b.txt")]
    assert split_pages(files)[1].text == "1 + 1"


def test_a_heading_with_nothing_below_it_is_not_lost():
    chunks = split_pages([Page(1, "# Delivery\n## Times\nBefore six.\n## Places\nIn town."), Page(2, "# Annex")])
    assert [c.text for c in chunks] == ["Delivery\nTimes\nBefore six.", "Places\nIn town.", "Annex"]


def test_an_underlined_line_is_a_heading_and_a_comment_in_code_is_none():
    chunks = split_pages([Page(None, "Delivery\n========\n\nBefore six.\n\n```\n# not a heading\n```")])
    assert [c.text for c in chunks] == ["Delivery\nBefore six.\n\n```\n# not a heading\n```"]


def test_each_chunk_of_a_long_table_begins_with_its_header():
    rows = "\n".join(f"| Item {i} | {i} euros |" for i in range(80))
    chunks = split_pages([Page(None, f"# Prices\n\nAs agreed.\n\n| Item | Price |\n| --- | --- |\n{rows}\n\nThanks.")])
    assert len(chunks) > 3
    assert all(c.text.startswith("Prices\n| Item | Price |\n") for c in chunks[1:-1])
    assert sum(c.text.count("| Item 7 |") for c in chunks) == 1


def test_rows_are_packed_whole_and_know_their_numbers():
    rows = [f"Item: {i}; Note: {'word ' * (i % 40)}" for i in range(300)]
    chunks = split_pages([Page(None, "\n".join(rows), "Prices", "row", 11)])
    read = [line.strip() for c in chunks for line in c.text.split("\n")]
    assert read == [row.strip() for row in rows]
    assert chunks[0].place.startswith("Prices, rows 11–")
    assert chunks[-1].place.endswith("310")


CODE = """import os


class Oven:
    \"\"\"Bakes.\"\"\"

    def heat(self):
        {heat}

    def cool(self):
        {cool}


def bake(flour):
    return flour
"""


def test_code_is_cut_between_functions_and_a_method_knows_its_class():
    filler = "\n        ".join(f"self.degrees = {i} * os.cpu_count()" for i in range(12))
    code = CODE.format(heat=filler, cool=filler)
    chunks = split_pages([Page(None, code, counted="line")])
    assert [c.place for c in chunks] == ["line 1", "lines 4–19", "lines 21–33", "lines 36–37"]
    assert chunks[2].text.startswith("class Oven:\ndef cool(self):\n        self.degrees = 0")
    assert chunks[3].text == "def bake(flour):\n    return flour"


def test_a_place_is_that_of_the_page_or_else_the_heading():
    assert [c.place for c in split_pages([Page(None, "# Delivery\n\nBefore six.")])] == ["Delivery"]
    assert [c.place for c in split_pages([Page(None, "# One\n\nText.", "chapter 1")])] == ["chapter 1"]
    assert [c.place for c in split_pages([Page(4, "# Delivery\n\nBefore six.")])] == [""]


WORDS = [
    "bread ",
    "rye. ",
    "Oven! ",
    "面包。",
    "תקופת ",
    "é",
    "x" * 700,
    "\n",
    "\n\n",
    "# Head\n",
    "## A b\n",
    "- item\n",
]
MORE = [
    "| a | b |\n" * 30,
    "| c | d |\n",
    "```\n",
    "\t",
    "===\n",
    "; ",
    "\r",
    "\u2028",
    "def f():\n",
    "    return 1\n\n",
]


@pytest.mark.parametrize("counted", ["", "row", "line"])
def test_a_chunk_stands_verbatim_in_its_page_at_its_offset(counted):
    chance = random.Random(1)
    for _ in range(60):
        pages = [Page(n, "".join(chance.choices(WORDS + MORE, k=60)), counted=counted) for n in (1, 2, 3)]
        chunks = split_pages(pages)
        assert all(_stands(chunk, pages[(chunk.page or 0) - 1].text) for chunk in chunks)
        assert max(estimate_tokens(chunk.text) for chunk in chunks) <= CHUNK_TOKENS + 5
        for page in pages:
            assert _words(page.text) <= _words("\n".join(c.text for c in chunks))


def _words(text: str) -> set[str]:
    """Without marks of headings and tables, and without words that are so long that they are cut."""
    words = re.split(r"\s+|(?<=。)", re.sub(r"[#=|-]+", " ", text))
    return {word for word in words if 0 < len(word) < 100}


def _stands(chunk: Chunk, text: str) -> bool:
    """The chunk without some of its first lines (heading, table header, class) is in the page at the chunk's offset."""
    lines = chunk.text.split("\n")
    return any(text.startswith("\n".join(lines[k:]), chunk.offset) for k in range(min(6, len(lines))))


def test_two_million_characters_without_a_space_are_cut_in_a_moment():
    assert len(split_pages([Page(None, "x" * 2_000_000)])) > 3000


def test_empty_pages_give_no_chunks():
    assert split_pages([Page(1, ""), Page(2, " \n\n ")]) == []


def test_sentences_are_verbatim_also_in_other_scripts():
    for text in (
        "החוזה נכנס לתוקף. תקופת ההודעה היא 30 יום.",
        "هل يسري العقد؟ نعم.",
        "契約は有効です。期間は三か月です。",
    ):
        sentences = split_sentences(text)
        assert len(sentences) == 2
        assert all(s in text for s in sentences)


def test_wrapped_prose_is_one_sentence_and_list_items_are_many():
    wrapped = (
        "Either party may end this agreement in writing, at any time and with\na notice of 90 days. It is renewed."
    )
    assert split_sentences(wrapped)[0].endswith("90 days.")
    assert split_sentences("- sesame\n- walnuts") == ["- sesame", "- walnuts"]
