"""Every line that the knowledge base can say to a person has French: the lines are collected from the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import assistant
import knowledge
from assistant.app_errors import FRENCH, in_language
from assistant.app_errors_skipped import SKIPPED
from knowledge.addresses import FetchPolicy, check_url
from knowledge.documents import KnowledgeError
from knowledge.fetching import parse_url
from knowledge.sql import check_select

ERRORS = (
    "KnowledgeError",
    "Unreadable",
    "ReaderCrash",
    "NotWanted",
    "Gone",
    "Forbidden",
    "Busy",
    "_remedy",
    "_no_table",
    "INSTALL",
    "CHOOSE",
)
SKIPS = ("Skipped", "skipped", "fault_of", "_zip_fault", "_tar_fault", "_tar_members")
COMMAND_LINE_ONLY = ("exporting.py", "filters.py", "fitting.py", "watch.py")
"""What only commands call: the page neither exports to a folder, nor filters, fits or watches."""
COMPOSED = ("{}: {}", "{} {}", "{} {}.", "{}; {}", "{}")
"""Put together from lines that are collected where they come from."""
NOT_READ = "install tesseract-ocr to have it read"
FILLINGS = ("x", "1", "", "shared", "sqlite:///x", "inside the network (1)", NOT_READ)
KNOWLEDGE = Path(knowledge.__file__).parent
PAGE = Path(assistant.__file__).parent
SOURCES = (
    *KNOWLEDGE.rglob("*.py"),
    *PAGE.glob("app*.py"),
    *(PAGE / f"{n}.py" for n in ("shelf", "sources", "recordings")),
)


def literal(node: ast.expr) -> Iterator[str]:
    """A text as it stands in the source, `{}` where something is put in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    elif isinstance(node, ast.IfExp):
        yield from (*literal(node.body), *literal(node.orelse))


def lines(names: tuple[str, ...]) -> set[str]:
    """What is given to calls of these names, returned by functions of these names, or said by these constants."""
    found: set[str] = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if path.name not in COMMAND_LINE_ONLY:
                found.update(line for text in texts(node, names) for line in literal(text))
    return {re.sub(r"\. {}$", ".", line) for line in found if line and line not in COMPOSED}


def texts(node: ast.AST, names: tuple[str, ...]) -> Iterator[ast.expr]:
    if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in names:
        yield from node.args[:2]
    elif isinstance(node, ast.FunctionDef) and node.name in names:
        yield from (line.value for line in ast.walk(node) if isinstance(line, ast.Return | ast.Assign) and line.value)
    elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in names:
        yield node.value
    elif isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple) and "_tar_members" in names:
        yield node.value.elts[1]


def has_french(line: str, table: tuple[tuple[str, str], ...] = FRENCH) -> bool:
    filled = [
        line.replace("{}", first, times).replace("{}", rest)
        for first in FILLINGS
        for rest in FILLINGS
        for times in (1, 2)
    ]
    return any(re.fullmatch(pattern, text, re.DOTALL) for text in filled for pattern, _ in table)


def test_every_message_and_remedy_of_the_knowledge_base_has_french() -> None:
    said = lines(ERRORS)
    assert len(said) > 120
    assert sorted(line for line in said if not has_french(line)) == []


def test_every_reason_for_leaving_something_out_has_french() -> None:
    said = lines(SKIPS)
    assert len(said) > 25
    assert sorted(line for line in said if not has_french(line, SKIPPED)) == []
    told = [in_language(re.sub(r"([;:]) {}$", rf"\1 {NOT_READ}", line).replace("{}", "1"), "fr") for line in said]
    assert [line for line in told if re.search(r"\b(the|no text|is|it|was)\b", line.partition(";")[0])] == []


def test_each_reason_why_a_picture_was_not_read_has_french() -> None:
    said = lines(("NotRead",))
    assert NOT_READ in said
    assert [line for line in said if not has_french(f"the picture was not read: {line}", SKIPPED)] == []


@pytest.mark.parametrize("english, french", FRENCH)
def test_a_french_line_uses_what_its_english_line_gives(english: str, french: str) -> None:
    assert set(re.findall(r"\\(\d)", french)) <= {str(n + 1) for n in range(re.compile(english).groups)}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Lease, p. 3: no text: the page is empty.", "Lease, p. 3 : pas de texte : la page est vide."),
        ("Lease, p. 3, 12: the picture is damaged", "Lease, p. 3, 12 : l'image est endommagée"),
        ("Act 2: Scene 1: some lines have no readable time.", "Act 2: Scene 1 : certaines lignes n'ont pas d'heure"),
        ("a.zip: b.txt is empty.", "a.zip : b.txt est vide."),
        ("b.txt is empty. Check the path.", "b.txt est vide. Vérifiez le chemin."),
        ("Lease: nobody translated this.", "Lease: nobody translated this."),
        (
            "Lease, p. 2: no text: the page is scanned; install tesseract-ocr to have it read.",
            "Lease, p. 2 : pas de texte : la page est scannée ; installez tesseract-ocr",
        ),
    ],
)
def test_only_the_reason_is_translated_after_a_title(line: str, expected: str) -> None:
    assert in_language(line, "fr").startswith(expected)


def test_each_reason_of_a_list_is_translated() -> None:
    why = "a: it is encrypted; unpack the archive with its password and add the files; b.txt is empty; and 3 more"
    french = (
        "a : il est chiffré ; décompressez l'archive avec son mot de passe et ajoutez les fichiers ; b.txt est vide ;"
        " et 3 de plus"
    )
    assert in_language(f"1,200 files; left out: {why}", "fr") == f"1,200 fichiers ; laissés de côté : {french}"
    nothing = in_language(f"a.zip holds no files that can be read: {why}.", "fr")
    assert nothing == f"a.zip ne contient aucun fichier lisible : {french}."
    assert in_language("a.zip holds no files that can be read.", "fr") == "a.zip ne contient aucun fichier lisible."


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://localhost/x", "localhost est à l'intérieur du réseau (cette machine)"),
        ("http://10.0.0.1/", "10.0.0.1 est une adresse interne et n'est pas téléchargé. La personne qui gère"),
        ("ftp://example.org/", "ftp://example.org/ n'est pas une adresse web. Elle commence par http://"),
        ("http://me@example.org/", "L'adresse contient un nom ou un mot de passe. Retirez-le"),
        ("http://8.8.8.8:22/", "Le port 22 de 8.8.8.8 n'est pas celui d'un serveur web"),
    ],
)
def test_an_address_that_is_not_fetched_is_told_in_french(address: str, expected: str) -> None:
    with pytest.raises(KnowledgeError) as raised:
        check_url(parse_url(address), FetchPolicy())
    assert in_language(str(raised.value), "fr").startswith(expected)


def test_a_query_that_is_not_run_is_told_in_french() -> None:
    with pytest.raises(KnowledgeError) as raised:
        check_select("DROP TABLE people")
    line = in_language(str(raised.value), "fr")
    assert line == "Seul SELECT est exécuté, pas DROP. Les bases de données sont seulement lues."


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a.pdf is still being read. Wait until it is read, then try again.", "a.pdf est encore en cours de lecture."),
        ("a.pdf is not in user-anna. `assistant sources` lists what is there.", "a.pdf n'est pas dans user-anna."),
        (
            "example.org cannot be reached: [Errno 1] No. Check the address and the network.",
            "example.org est injoignable",
        ),
        ("Reading a.pdf was stopped. Add it again to read it.", "La lecture de a.pdf a été arrêtée."),
        ("Indexing a.pdf", "Indexation de a.pdf"),
        ("Hearing a.wav", "Écoute de a.wav"),
    ],
)
def test_a_message_and_its_remedy_are_both_told_in_french(line: str, expected: str) -> None:
    french = in_language(line, "fr")
    assert french.startswith(expected)
    assert not re.search(r"Check|Wait|lists|Add ", french)
