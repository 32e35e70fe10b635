"""“Use this”: one capability changes in assistant.toml, and nothing else of the file does."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from assistant.cli import call
from assistant.settings import Settings, SettingsError, load_settings
from assistant.using import Chosen, use_model
from tools.engines.errors import BadInput, MissingKey, ModelNotFound

FILE = """# Our assistant.
offline = false  # we are online

[chat]  # words
model = "openai-compatible:big"  # the big one
base_url = "http://127.0.0.1:1234/v1"
# cooler than usual
temperature = 0.1

[endpoints.work]
base_url = "http://127.0.0.1:8080/v1"
"""


def settings_in(folder: Path, text: str | None = None, **environ: str) -> Settings:
    if text is not None:
        (folder / "assistant.toml").write_text(text, "utf-8")
    return load_settings(folder, {"ASSISTANT_HOME": str(folder / "home"), **environ})


def use(folder: Path, model: str, asked: str | None = None, text: str | None = None, **environ: str) -> Chosen:
    return use_model(settings_in(folder, text, **environ), model, asked)


def test_without_a_file_one_is_made(tmp_path: Path) -> None:
    chosen = use(tmp_path, "faster-whisper:tiny.en")
    assert (chosen.capability, chosen.before, chosen.warning) == ("speech", "faster-whisper:base", "")
    assert (tmp_path / "assistant.toml").read_text("utf-8") == 'speech = "faster-whisper:tiny.en"\n'
    assert settings_in(tmp_path).speech.model == "faster-whisper:tiny.en"
    assert [path.name for path in tmp_path.iterdir()] == ["assistant.toml"]


def test_comments_and_everything_else_stay_and_an_address_stays_with_its_provider(tmp_path: Path) -> None:
    use(tmp_path, "llama-cpp:smollm2-135m-instruct", text=FILE)
    text = (tmp_path / "assistant.toml").read_text("utf-8")
    expected = FILE.replace("openai-compatible:big", "llama-cpp:smollm2-135m-instruct")
    assert text == expected.replace('base_url = "http://127.0.0.1:1234/v1"\n', "", 1)
    assert settings_in(tmp_path).chat.temperature == 0.1


def test_another_model_of_the_same_server_keeps_its_address(tmp_path: Path) -> None:
    use(tmp_path, "openai-compatible:small", "chat", FILE)
    assert settings_in(tmp_path).chat.base_url == "http://127.0.0.1:1234/v1"


def test_a_maker_with_a_server_of_its_own_gets_its_address(tmp_path: Path) -> None:
    use(tmp_path, "openai-compatible:claude-sonnet-4-5", OPENAI_COMPATIBLE_API_KEY="k")
    chat = settings_in(tmp_path).chat
    assert (chat.model, chat.base_url) == ("openai-compatible:claude-sonnet-4-5", "https://api.anthropic.com/v1/")
    use(tmp_path, "llama-cpp:smollm2-135m-instruct")
    assert settings_in(tmp_path).chat.base_url is None


def test_a_short_line_before_tables_is_changed_in_its_place(tmp_path: Path) -> None:
    text = 'speech = "faster-whisper:base"  # ears\n\n[endpoints.work]\nbase_url = "http://127.0.0.1:1/v1"\n'
    use(tmp_path, "whisper:base", text=text)
    assert (tmp_path / "assistant.toml").read_text("utf-8") == text.replace("faster-whisper", "whisper")
    use(tmp_path, "work:any", "chat")
    settings = settings_in(tmp_path)
    assert (settings.chat.model, settings.speech.model) == ("work:any", "whisper:base")
    assert "work" in settings.endpoints


def test_what_the_environment_keeps_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ASSISTANT_SPEECH=faster-whisper:base\n")
    chosen = use(tmp_path, "whisper:base")
    assert "ASSISTANT_SPEECH in the environment or .env wins" in chosen.warning
    with pytest.raises(BadInput, match="ASSISTANT_CHAT_BASE_URL"):
        use(
            tmp_path,
            "llama-cpp:smollm2-135m-instruct",
            ASSISTANT_CHAT="openai-compatible:x",
            ASSISTANT_CHAT_BASE_URL="http://127.0.0.1:9/v1",
        )


@pytest.mark.parametrize(
    ("model", "asked", "kind", "words"),
    [
        ("faster-whisper:bas", None, ModelNotFound, "distil-large-v3"),
        ("llama-cpp:nothing", None, ModelNotFound, "qwen2.5-coder"),
        ("nobody:x", None, ModelNotFound, "llama-cpp"),
        ("gpt-5-mini", None, ModelNotFound, "openai:gpt-5-mini"),
        ("openai:gpt-5", None, MissingKey, "OPENAI_API_KEY"),
        ("ollama:strange", None, BadInput, "--for"),
        ("ollama:strange", "speech", ModelNotFound, "not for speech"),
        ("openai:whisper-1", "chat", BadInput, "for speech, not for text"),
        ("whisper:base", "hearing", BadInput, "speech"),
    ],
)
def test_what_cannot_run_is_refused_and_nothing_is_written(
    tmp_path: Path, model: str, asked: str | None, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind) as error:
        use(tmp_path, model, asked)
    assert words in str(error.value)
    assert not (tmp_path / "assistant.toml").exists()


def test_a_file_that_cannot_be_written_says_what_to_write(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    (tmp_path / "assistant.toml").mkdir()
    with pytest.raises(SettingsError, match="Write there yourself: speech = 'whisper:base'"):
        use_model(settings, "whisper:base")


def test_the_rights_of_the_file_and_a_link_to_it_stay(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.toml").write_text("offline = true\n")
    (tmp_path / "elsewhere.toml").chmod(0o600)
    (tmp_path / "assistant.toml").symlink_to("elsewhere.toml")
    use(tmp_path, "whisper:base")
    assert (tmp_path / "assistant.toml").is_symlink()
    assert (tmp_path / "elsewhere.toml").read_text() == 'offline = true\nspeech = "whisper:base"\n'
    assert os.stat(tmp_path / "elsewhere.toml").st_mode & 0o777 == 0o600


def test_the_command_tells_what_it_wrote_and_when_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "home"))
    assert call(["models", "use", "whisper:base"]) == 0
    out, err = capsys.readouterr()
    assert out == f"speech = whisper:base, written to {tmp_path / 'assistant.toml'}\n"
    assert "started again" in err
    assert call(["models", "use", "onnx:all-MiniLM-L6-v2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["capability"] == "embedding"
    assert call(["models", "use", "openai:gpt-5"]) == 2
