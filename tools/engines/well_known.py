"""Well-known models that a server of one's own (Ollama) or their maker's compatible server runs: one row a model.

Figures are those of the makers' model cards and of Ollama's library; what is not firmly known stays empty. None was run here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.engines.base import ModelCard, Task

GIGABYTE = 1_000_000_000
BILLION = 1_000_000_000
_OLLAMA = "https://ollama.com/library/"
_LLAMA = {
    "maker": "Meta",
    "commercial_use": "with more than 700 million users a month only by a licence of Meta's own",
    "forbids": "what its acceptable use policy lists; what is built with it must say so",
}
_GEMMA = {"maker": "Google", "forbids": "what its prohibited use policy lists"}
_LLAMA_8 = ("en", "de", "fr", "it", "pt", "hi", "es", "th")
_TERMS = "using its answers to develop competing models"


def _open(
    model: str, licence: str, size_gb: float, parameters_b: float, context: int | None, **facts: Any
) -> ModelCard:
    """Open weights for Ollama. `size_gb` is what its library fetches (4 bits a weight for text)."""
    facts = {"task": "text", "architecture": "decoder", "source": _OLLAMA + model.partition(":")[0], **facts}
    return ModelCard(
        f"ollama:{model}",
        runs="hosted",
        licence=licence,
        size_bytes=int(size_gb * GIGABYTE),
        parameters=int(parameters_b * BILLION),
        context_tokens=context,
        **facts,
    )


def _proprietary(model: str, maker: str, base_url: str, source: str, **facts: Any) -> ModelCard:
    """At its maker's own server, which speaks the OpenAI API."""
    task: Task = facts.pop("task", "text")
    return ModelCard(
        f"openai-compatible:{model}",
        task,
        "hosted",
        "proprietary",
        source,
        maker=maker,
        base_url=base_url,
        **facts,
    )


def _claude(model: str, **facts: Any) -> ModelCard:
    return _proprietary(
        model,
        "Anthropic",
        "https://api.anthropic.com/v1/",
        "https://docs.anthropic.com/en/docs/about-claude/models",
        calls_tools=True,
        sees_images=True,
        forbids=_TERMS,
        context_tokens=200_000,
        limits="Its compatible server is meant for trying it.",
        **facts,
    )


def _gemini(model: str) -> ModelCard:
    return _proprietary(
        model,
        "Google",
        "https://generativelanguage.googleapis.com/v1beta/openai/",
        "https://ai.google.dev/gemini-api/docs/models",
        calls_tools=True,
        sees_images=True,
        forbids=_TERMS,
        context_tokens=1_048_576,
    )


_ROWS: tuple[ModelCard, ...] = (
    _open("llama3.2:1b", "Llama 3.2 Community", 1.3, 1.23, 131_072, languages=_LLAMA_8, **_LLAMA),
    _open("llama3.2:3b", "Llama 3.2 Community", 2.0, 3.21, 131_072, languages=_LLAMA_8, **_LLAMA),
    _open("llama3.1:8b", "Llama 3.1 Community", 4.9, 8.03, 131_072, languages=_LLAMA_8, **_LLAMA),
    _open("llama3.3:70b", "Llama 3.3 Community", 43, 70.6, 131_072, languages=_LLAMA_8, **_LLAMA),
    _open(
        "llama3.2-vision:11b",
        "Llama 3.2 Community",
        7.9,
        10.6,
        131_072,
        sees_images=True,
        languages=("en",),
        limits="With pictures English only; its licence grants nothing to people and companies of the European Union.",
        **_LLAMA,
    ),
    _open("qwen2.5:7b", "Apache-2.0", 4.7, 7.61, 131_072, maker="Alibaba", languages=("multilingual",)),
    _open("qwen2.5-coder:7b", "Apache-2.0", 4.7, 7.61, 131_072, maker="Alibaba", limits="Best at program code."),
    _open("qwen3:8b", "Apache-2.0", 5.2, 8.2, 40_960, maker="Alibaba", languages=("multilingual",)),
    _open("mistral:7b", "Apache-2.0", 4.4, 7.25, 32_768, maker="Mistral AI", limits="Best in English."),
    _open("mixtral:8x7b", "Apache-2.0", 26, 46.7, 32_768, maker="Mistral AI", languages=("en", "fr", "it", "de", "es")),
    _open("gemma2:9b", "Gemma", 5.4, 9.24, 8192, languages=("en",), **_GEMMA),
    _open("gemma3:4b", "Gemma", 3.3, 4.3, 131_072, languages=("multilingual",), sees_images=True, **_GEMMA),
    _open("phi4:14b", "MIT", 9.1, 14.7, 16_384, maker="Microsoft", limits="Best in English."),
    _open("gpt-oss:20b", "Apache-2.0", 14, 20.9, 131_072, maker="OpenAI", limits="Best in English."),
    _open("gpt-oss:120b", "Apache-2.0", 65, 117, 131_072, maker="OpenAI", limits="Best in English."),
    _open("deepseek-r1:7b", "MIT", 4.7, 7.62, 131_072, maker="DeepSeek", limits="Thinks aloud before it answers."),
    _open("llava:7b", "Apache-2.0", 4.7, 7.24, 32_768, maker="LLaVA", sees_images=True, languages=("en",)),
    _open(
        "nomic-embed-text",
        "Apache-2.0",
        0.274,
        0.137,
        8192,
        task="embedding",
        architecture="encoder",
        maker="Nomic AI",
        languages=("en",),
    ),
    _open(
        "mxbai-embed-large",
        "Apache-2.0",
        0.67,
        0.335,
        512,
        task="embedding",
        architecture="encoder",
        maker="Mixedbread",
        languages=("en",),
    ),
    _open(
        "bge-m3",
        "MIT",
        1.2,
        0.568,
        8192,
        task="embedding",
        architecture="encoder",
        maker="BAAI",
        languages=("multilingual",),
    ),
    _claude("claude-opus-4-1"),
    _claude("claude-sonnet-4-5"),
    _claude("claude-haiku-4-5"),
    _gemini("gemini-2.5-pro"),
    _gemini("gemini-2.5-flash"),
    _proprietary(
        "mistral-large-latest",
        "Mistral AI",
        "https://api.mistral.ai/v1",
        "https://docs.mistral.ai/getting-started/models/",
        calls_tools=True,
        context_tokens=131_072,
    ),
    _proprietary(
        "mistral-embed",
        "Mistral AI",
        "https://api.mistral.ai/v1",
        "https://docs.mistral.ai/getting-started/models/",
        task="embedding",
        context_tokens=8192,
    ),
)
WELL_KNOWN: Mapping[str, ModelCard] = {card.id: card for card in _ROWS}
