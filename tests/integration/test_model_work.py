"""Models measured and probed for their cards: a starter model for real, hosted ones against a server on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from assistant.cli import call
from assistant.measured import measurements
from tests.openai_server import OpenAIServer, Reply

SMOL = "llama-cpp:smollm2-135m-instruct"


@pytest.fixture(autouse=True)
def _at_home(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSISTANT_HOME", str(home))


def configure(server: OpenAIServer) -> None:
    Path("assistant.toml").write_text(f"[endpoints.work]\nbase_url = '{server.url}'\n", "utf-8")


@pytest.mark.parametrize(
    ("model", "unit", "least_bytes"),
    [
        (SMOL, "tokens/s", 50_000_000),
        ("faster-whisper:tiny.en", "x real time", 10_000_000),
        ("onnx:all-MiniLM-L6-v2", "texts/s", 1_000_000),
    ],
)
def test_a_starter_model_is_measured_and_its_card_tells_it(
    home: Path, capsys: pytest.CaptureFixture[str], model: str, unit: str, least_bytes: int
) -> None:
    command = [sys.executable, "-m", "assistant.cli", "models", "measure", model, "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    told = json.loads(done.stdout)
    assert told["id"] == model and told["unit"] == unit
    assert told["speed"] > 0 and told["seconds"] > 0 and told["device"].endswith("cores")
    assert least_bytes < told["memory_bytes"] < 20_000_000_000
    assert call(["models", "show", model, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["measured"]
    assert shown == {name: value for name, value in told.items() if name != "id"}


def test_a_hosted_model_is_measured_where_it_runs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with OpenAIServer() as server:
        configure(server)
        assert call(["models", "measure", "work:any"]) == 2
        assert "--for" in capsys.readouterr().err
        assert call(["models", "measure", "work:any", "--for", "chat", "--json"]) == 0
        assert server.last.body["max_tokens"] > 50
    told = json.loads(capsys.readouterr().out)
    assert told["device"].startswith("127.0.0.1:") and told["memory_bytes"] is None


@pytest.mark.parametrize(
    ("third", "right"), [(("transcribe_audio", {"request": "what is said"}), 4), (("transcribe_audio", {}), 3)]
)
def test_tool_calls_are_probed_with_requests_whose_tool_is_known(
    home: Path, capsys: pytest.CaptureFixture[str], third: tuple[str, dict[str, str]], right: int
) -> None:
    with OpenAIServer() as server:
        configure(server)
        server.queue(
            Reply(calls=[("generate_image", {"request": "a red fox"})]),
            Reply(calls=[("search_knowledge", {"request": "mooring fees"})]),
            Reply(calls=[third]),
            Reply(pieces=("Bonjour !",)),
        )
        assert call(["models", "probe", "work:any", "--only", "tools"]) == 0
        assert len(server.received) == 4
        tools = {tool["function"]["name"] for tool in server.last.body["tools"]}
    assert tools == {"generate_image", "search_knowledge", "transcribe_audio"}
    assert f"{right} of 4 right" in capsys.readouterr().out
    probed = measurements(home).of("work:any").tool_calls
    assert probed and (probed.right, probed.works) == (right, right == 4)


def test_a_server_that_fails_meanwhile_is_one_line_and_nothing_is_kept(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with OpenAIServer(key="secret") as server:
        configure(server)
        for arguments in (["probe", "work:any"], ["measure", "work:any", "--for", "chat"]):
            assert call(["models", *arguments]) == 1
            assert capsys.readouterr().err.count("\n") == 1
    assert measurements(home).of("work:any").measured is None
