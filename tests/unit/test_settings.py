"""Settings: where they come from, what wins, and the one line that a mistake gets."""

from pathlib import Path

import pytest

from assistant.engines import leaves_machine
from assistant.settings import Chat, Settings, SettingsError, load_settings, settings_rows, with_model, with_variables


def test_without_any_file_the_starter_models_are_chosen(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {})
    assert settings.chat.model == "llama-cpp:qwen2.5-coder-1.5b-instruct"
    assert settings.speech.model == "faster-whisper:base"
    assert settings.image.model is None
    assert settings.host == "127.0.0.1"


def test_the_environment_wins_over_dotenv_and_dotenv_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "assistant.toml").write_text('port = 1000\nspeech = "whisper:base"\nlogin = true\n', "utf-8")
    (tmp_path / ".env").write_text("ASSISTANT_PORT=2000\nASSISTANT_SPEECH=faster-whisper:tiny.en\n", "utf-8")
    settings = load_settings(tmp_path, {"ASSISTANT_PORT": "3000"})
    assert (settings.port, settings.speech.model, settings.login) == (3000, "faster-whisper:tiny.en", True)


def test_a_capability_may_be_one_string_or_a_table(tmp_path: Path) -> None:
    (tmp_path / "assistant.toml").write_text('[chat]\nmodel = "ollama:llama3.2:1b"\ntemperature = 0\n', "utf-8")
    settings = load_settings(tmp_path, {"ASSISTANT_CHAT_MAX_TOKENS": "7"})
    assert (settings.chat.model, settings.chat.temperature, settings.chat.max_tokens) == ("ollama:llama3.2:1b", 0.0, 7)


def test_a_named_endpoint_can_be_chosen_and_brings_its_key(tmp_path: Path) -> None:
    toml = 'chat = "work:m"\n[endpoints.work]\nbase_url = "http://127.0.0.1:1/v1"\napi_key_env = "WORK_SECRET"\n'
    (tmp_path / "assistant.toml").write_text(toml, "utf-8")
    settings = load_settings(tmp_path, {"WORK_SECRET": "s", "OTHER_SECRET": "t"})
    assert settings.chat.model == "work:m"
    assert settings.endpoints["work"].base_url == "http://127.0.0.1:1/v1"
    assert settings.keys == {"WORK_SECRET": "s"}


def test_an_unknown_variable_is_a_warning_that_suggests_the_right_one(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {"ASSISTANT_SPEACH": "x", "PATH": "/bin"})
    assert settings.warnings == ("Unknown variable ASSISTANT_SPEACH. Did you mean ASSISTANT_SPEECH?",)


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {"ASSISTANT_CHAT": "", "ASSISTANT_PORT": " ", "ASSISTANT_IMAGE": ""})
    assert settings == load_settings(tmp_path, {})


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"ASSISTANT_PORT": "abc"}, ["ASSISTANT_PORT", "whole number"]),
        ({"ASSISTANT_PORT": "70000"}, ["port", "65535"]),
        ({"ASSISTANT_PORT": "0"}, ["port", "65535"]),
        ({"ASSISTANT_CHAT_TEMPERATURE": "nan"}, ["ASSISTANT_CHAT_TEMPERATURE", "number"]),
        ({"ASSISTANT_CHAT_TEMPERATURE": "-1"}, ["ASSISTANT_CHAT_TEMPERATURE", "number"]),
        ({"ASSISTANT_LOGIN": "maybe"}, ["ASSISTANT_LOGIN", "true or false"]),
        ({"ASSISTANT_SPEECH_DEVICE": "tpu"}, ["ASSISTANT_SPEECH_DEVICE", "auto, cpu, cuda"]),
        ({"ASSISTANT_CHAT": "llama-cp:x"}, ["ASSISTANT_CHAT", "llama-cp", "Did you mean llama-cpp?"]),
        ({"ASSISTANT_CHAT": "gpt-5-mini"}, ["ASSISTANT_CHAT", "Did you mean openai:gpt-5-mini?"]),
        ({"ASSISTANT_CHAT": "onnx:all-MiniLM-L6-v2"}, ["ASSISTANT_CHAT", "onnx is for embedding"]),
    ],
)
def test_a_mistake_in_the_environment_is_one_line_with_the_remedy(
    tmp_path: Path, variables: dict[str, str], words: list[str]
) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings(tmp_path, variables)
    assert "\n" not in str(error.value)
    assert [word for word in words if word not in str(error.value)] == []


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("port = ", ["assistant.toml"]),
        ("prot = 1", ["prot", "Did you mean port?"]),
        ("[speech]\nmodle = 'x:y'", ["speech.modle", "Did you mean model?"]),
        ("port = 'x'", ["port", "whole number"]),
        ("port = 80.5", ["port", "whole number"]),
        ("chat.temperature = inf", ["chat.temperature", "number"]),
        ("port = true", ["port", "whole number"]),
        ("[chat]\nmodel = 5", ["chat.model", "text in quotes"]),
        ("chat = 5", ["chat.model", "text in quotes"]),
        ("[endpoints.work]\nurl = 'x'", ["endpoints.work", "base_url"]),
        ("[endpoints.work]\nbase_url = 'http://x'\nkey = 'y'", ["endpoints.work.key"]),
        ("[endpoints.openai]\nbase_url = 'http://x'", ["endpoints.openai", "Choose another"]),
        ("endpoints = 5", ["endpoints"]),
        ("keys = {a = 'b'}", ["keys"]),
    ],
)
def test_a_mistake_in_the_file_is_one_line_with_the_remedy(tmp_path: Path, toml: str, words: list[str]) -> None:
    (tmp_path / "assistant.toml").write_text(toml, "utf-8")
    with pytest.raises(SettingsError) as error:
        load_settings(tmp_path, {})
    assert "\n" not in str(error.value)
    assert [word for word in words if word not in str(error.value)] == []


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "assistant.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match=r"assistant\.toml"):
        load_settings(tmp_path, {})


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "assistant.toml").write_text("port = 1234\n", "utf-8-sig")
    assert load_settings(tmp_path, {}).port == 1234


def test_the_home_folder_may_be_written_with_a_tilde(tmp_path: Path) -> None:
    assert load_settings(tmp_path, {"ASSISTANT_HOME": "~/there"}).home == Path.home() / "there"


def test_keys_never_show_in_the_settings_that_are_printed(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {"OPENAI_API_KEY": "sk-secret"})
    assert settings.keys["OPENAI_API_KEY"] == "sk-secret"
    assert "sk-secret" not in repr(settings)


def test_another_model_for_one_capability_leaves_the_rest() -> None:
    changed = with_model(Settings(), "chat", "openai:gpt-5")
    assert (changed.chat.model, changed.speech) == ("openai:gpt-5", Settings().speech)


def test_every_setting_has_a_variable_and_words_that_explain_it() -> None:
    rows = settings_rows()
    assert len({variable for _, variable, _, _ in rows}) == len(rows)
    assert all(text for *_, text in rows)
    assert ("chat.base_url", "ASSISTANT_CHAT_BASE_URL") in [row[:2] for row in rows]


@pytest.mark.parametrize(
    ("model", "base_url", "leaves"),
    [
        ("llama-cpp:qwen2.5-coder-1.5b-instruct", None, False),
        ("openai:gpt-5-mini", None, True),
        ("ollama:llama3.2", None, False),
        ("openai-compatible:any", "http://10.0.0.5:8000/v1", True),
        ("openai-compatible:any", "http://127.0.0.1:8000/v1", False),
    ],
)
def test_it_is_known_whether_words_leave_the_machine(model: str, base_url: str | None, leaves: bool) -> None:
    assert leaves_machine(Settings(chat=Chat(model, base_url=base_url))) is leaves


def test_the_address_of_a_server_stays_behind_with_its_provider() -> None:
    settings = Settings(chat=Chat("openai-compatible:any", base_url="http://10.0.0.9/v1"))
    assert with_model(settings, "chat", "openai:gpt-5-mini").chat.base_url is None
    assert with_model(settings, "chat", "openai-compatible:other").chat.base_url == "http://10.0.0.9/v1"


def test_hosts_of_the_house_are_a_list_or_stand_between_commas(tmp_path: Path) -> None:
    (tmp_path / "assistant.toml").write_text('fetch_private_hosts = ["wiki.intern", "10.0.0.0/8"]\n', "utf-8")
    assert load_settings(tmp_path, {}).fetch_private_hosts == ("wiki.intern", "10.0.0.0/8")
    environ = {"ASSISTANT_FETCH_PRIVATE_HOSTS": "a.intern, .lab,"}
    assert load_settings(tmp_path, environ).fetch_private_hosts == ("a.intern", ".lab")
    with pytest.raises(SettingsError, match=r"fetch_private_hosts.*names and networks"):
        load_settings(tmp_path, {"ASSISTANT_FETCH_PRIVATE_HOSTS": "10.0.0.0/99"})


def test_proxies_come_from_the_environment(tmp_path: Path) -> None:
    environ = {
        "HTTPS_PROXY": "http://proxy:3128",
        "https_proxy": "http://small:3128",
        "NO_PROXY": ".intern",
        "X_PROXY": "x",
    }
    assert load_settings(tmp_path, environ).proxies == {"https": "http://small:3128", "no": ".intern"}


def test_a_secret_in_an_address_is_named_and_read_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DB_PASSWORD='p@ss/w:rd'\nDB_HOST=db.intern:5433\n", "utf-8")
    address = "postgresql://ada:${DB_PASSWORD}@${DB_HOST}/shop"
    assert with_variables(address, tmp_path, {}) == "postgresql://ada:p%40ss%2Fw%3Ard@db.intern:5433/shop"
    with pytest.raises(SettingsError, match="DB_NONE has no value"):
        with_variables("sqlite:///${DB_NONE}", tmp_path, {})


@pytest.mark.parametrize(
    "url",
    [
        "http://8.8.8.8:8000",
        "https://127.0.0.1:8001",
        "http://me:x@127.0.0.1:8001",
        "127.0.0.1:8001",
        "http://[2606:4700::1]",
    ],
)
def test_a_chroma_server_that_anybody_could_reach_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match=r"chroma_url is .*on this machine or in a private network"):
        load_settings(tmp_path, {"ASSISTANT_CHROMA_URL": url})


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8001", "http://chroma:8000", "http://10.0.0.7:8000", "http://[::1]:8000/"]
)
def test_a_chroma_server_of_this_machine_or_network_is_taken(tmp_path: Path, url: str) -> None:
    assert load_settings(tmp_path, {"ASSISTANT_CHROMA_URL": url}).chroma_url == url
