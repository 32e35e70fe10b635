"""Lines for a person in the language of the page, checked against what is really raised."""

from pathlib import Path

import pytest

from assistant.agent import FORGOTTEN
from assistant.app_errors import in_language, told
from assistant.engines import Engines
from assistant.settings import Chat, Settings
from knowledge.documents import KnowledgeError
from knowledge.loaders import load_document
from tools.context import CUT
from tools.engines import piper
from tools.engines.audio import Recording
from tools.engines.base import EngineOptions
from tools.engines.device import DeviceArbiter
from tools.engines.errors import EngineError
from tools.engines.speech import language_code
from tools.sniff import sniff


def french(error: EngineError) -> str:
    return in_language(f"{error.message} {error.remedy}", "fr-FR")


def test_the_missing_picture_model_is_told_in_french() -> None:
    with pytest.raises(EngineError) as raised:
        Engines(Settings()).image()
    line = french(raised.value)
    assert line.startswith("Aucun modèle d'image") and "ASSISTANT_IMAGE=diffusers:stabilityai/sd-turbo" in line
    assert "such as" not in line


def test_a_missing_key_is_told_in_french() -> None:
    with pytest.raises(EngineError) as raised:
        Engines(Settings(chat=Chat("openai:gpt-5-mini"))).text()
    assert french(raised.value).startswith("Il manque la clé de openai. Mettez OPENAI_API_KEY")


@pytest.mark.parametrize(("content", "start"), [(b"", "x.bin est vide"), (bytes(range(256)), "x.bin est d'un type")])
def test_a_file_that_cannot_be_used_is_told_in_french(tmp_path: Path, content: bytes, start: str) -> None:
    (tmp_path / "x.bin").write_bytes(content)
    with pytest.raises(EngineError) as raised:
        sniff(tmp_path / "x.bin")
    assert french(raised.value).startswith(start)


@pytest.mark.parametrize(("line", "start"), [(CUT, "La réponse a atteint"), (FORGOTTEN.format(n=3), "Les 3 premiers")])
def test_notices_are_told_in_french(line: str, start: str) -> None:
    assert in_language(line, "fr").startswith(start)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "est vide (0 octet)"),
        (b"RIFF....", "son en-tête est abîmé"),
        (b"%PDF-1.4 and more", "son contenu est application/pdf"),
        (b"ID3\x03\x00\x00\x00\x00\x00\x00" + bytes(2000), "enregistrement"),
    ],
)
def test_a_recording_that_cannot_be_heard_is_told_in_french(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "talk.wav").write_bytes(content)
    with pytest.raises(EngineError) as raised:
        list(Recording(tmp_path / "talk.wav").windows())
    assert says in french(raised.value)


def test_a_language_and_a_voice_that_are_not_known_are_told_in_french(tmp_path: Path) -> None:
    with pytest.raises(EngineError) as raised:
        language_code("Klingon", ["en"])
    assert french(raised.value).startswith("Le modèle ne connaît pas la langue 'Klingon'. Il connaît en")
    with pytest.raises(EngineError) as raised:
        piper.load_voice("fr_FR-nobody", EngineOptions(tmp_path, DeviceArbiter()))
    assert french(raised.value).startswith("piper ne connaît pas 'fr_FR-nobody'")


def test_english_and_unknown_lines_stay_as_they_are() -> None:
    assert in_language(CUT, "en-US") == CUT
    assert in_language("Nobody translated this. Really.", "fr") == "Nobody translated this. Really."


@pytest.mark.parametrize(("content", "start"), [(b"", "x.pdf est vide"), (b"%PDF-1.7\ncut", "x.pdf est endommagé")])
def test_a_document_that_cannot_be_read_is_told_in_french(tmp_path: Path, content: bytes, start: str) -> None:
    (tmp_path / "x.pdf").write_bytes(content)
    with pytest.raises(KnowledgeError) as raised:
        load_document(tmp_path / "x.pdf")
    line = told(raised.value.message, raised.value.remedy, "fr-FR")
    assert line.startswith(start)
    assert in_language(str(raised.value), "fr") == line
    assert told(raised.value.message, raised.value.remedy, "en-US") == str(raised.value)
