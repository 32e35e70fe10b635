"""One hosted server, seen through the official `openai` client: how it is opened, called politely, and how its failures read.

It knows addresses, keys and status codes; it knows nothing of text, speech, pictures or vectors.
"""

from __future__ import annotations

import asyncio
import email.utils
import ipaddress
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from tools.engines.base import Endpoint, EngineOptions, ModelCard, Task
from tools.engines.errors import (
    BadInput,
    EngineError,
    MissingKey,
    ModelNotFound,
    RateLimited,
    Refused,
    Stopped,
    Unreachable,
)

if TYPE_CHECKING:
    from openai import APIError, APIStatusError, AsyncOpenAI

OPENAI_URL = "https://api.openai.com/v1"
CONNECT_S = 5.0
LONGEST_WAIT_S = 10.0
LONGEST_TOLD_S = 86_400.0
UNANSWERED = "disconnected without sending a response"
LOCAL_CHOICE: dict[Task, str] = {
    "text": "ASSISTANT_CHAT=llama-cpp:qwen2.5-coder-1.5b-instruct",
    "speech": "ASSISTANT_SPEECH=faster-whisper:base",
    "image": "ASSISTANT_IMAGE=diffusers:/path/to/pipeline",
    "voice": "ASSISTANT_VOICE=piper:en_US-joe-medium",
    "embedding": "ASSISTANT_EMBEDDING=onnx:all-MiniLM-L6-v2",
    "reranking": "ASSISTANT_RERANKER= (nothing), which does without",
}

T = TypeVar("T")


@dataclass(frozen=True)
class Hosted:
    """One model on one server: enough to call it and to explain what went wrong."""

    client: AsyncOpenAI
    card: ModelCard
    key_name: str = "OPENAI_API_KEY"

    @property
    def model(self) -> str:
        return self.card.id.partition(":")[2]

    @property
    def where(self) -> str:
        url = urlsplit(str(self.client.base_url))
        return f"{self.card.id.partition(':')[0]} ({url.netloc})"

    @property
    def is_openai(self) -> bool:
        """OpenAI itself or Azure, whose newer models want other parameters than compatible servers know."""
        from openai import AsyncAzureOpenAI

        host = self.client.base_url.host
        return host.endswith((".openai.com", ".azure.com")) or isinstance(self.client, AsyncAzureOpenAI)

    async def call(self, send: Callable[[], Awaitable[T]]) -> T:
        """Await `send()`; when the server answers 429 and names a short wait, once more after it, and at once when it closed a
        kept connection in the very moment that it was used again.

        Raises: EngineError.
        """
        from openai import APIConnectionError, RateLimitError

        try:
            try:
                return await send()
            except APIConnectionError as error:
                if UNANSWERED not in str(error.__cause__):
                    raise
                return await send()
            except RateLimitError as error:
                wait_s = _retry_after_s(error)
                if wait_s > LONGEST_WAIT_S or error.code == "insufficient_quota":
                    raise
                await asyncio.sleep(wait_s)
                return await send()
        except failures() as error:
            raise self.explain(error) from error

    def explain(self, error: Exception) -> EngineError:
        """The line for the person: what `error`, one of `failures()`, means here and what to do about it."""
        import openai

        match error:
            case openai.APITimeoutError():
                return Unreachable(
                    f"{self.where} did not answer in time.",
                    f"Try again, raise its timeout_s, or set {LOCAL_CHOICE[self.card.task]}.",
                )
            case openai.APIConnectionError():
                cause = f" ({_short(str(error.__cause__))})" if error.__cause__ else ""
                return Unreachable(
                    f"{self.where} cannot be reached{cause}.",
                    f"Check that it runs and that base_url is right, or set {LOCAL_CHOICE[self.card.task]}.",
                )
            case openai.APIStatusError():
                return self._explain_status(error)
            case openai.APIError() if error.code and error.code.isdigit():
                return self._explain_said(int(error.code), error)
            case openai.APIError():
                return Unreachable(f"{self.where} reported a failure: {said(error)}", "Try again.")
            case _:
                return self.not_the_format()

    def not_the_format(self) -> EngineError:
        return Unreachable(
            f"{self.where} answered something that is not the OpenAI format.",
            "Check that base_url points to the API (it usually ends in /v1), not to a web page.",
        )

    def _explain_status(self, error: APIStatusError) -> EngineError:
        status = error.status_code
        if 300 <= status < 400:
            target = error.response.headers.get("location", "another address")
            return Refused(
                f"{self.where} redirects to {target}.", "Nothing was sent there; put that address in base_url."
            )
        if status == 429:
            return self._rate_limited(error)
        return self._explain_said(status, error)

    def _explain_said(self, status: int, error: APIError) -> EngineError:
        text = said(error)
        if _is_policy(error, text):
            return Refused(f"{self.where} declined this for its content policy.", "Put it in other words.")
        if "context" in text.lower() and ("length" in text.lower() or "size" in text.lower()):
            return BadInput(
                f"The text is longer than {self.model} can read: {text}.", "Shorten it or start a new chat."
            )
        if status in (401, 403):
            why = "does not accept the key" if status == 401 else f"does not allow this: {text}"
            return Refused(f"{self.where} {why}.", f"Check {self.key_name} in .env and what this key may use.")
        if status == 404:
            return self._not_found(error, text)
        if status in (405, 501):
            return Refused(f"{self.where} does not offer this: {text}.", "Choose another server for it.")
        if status >= 500:
            return Unreachable(f"{self.where} failed with status {status}: {text}.", "Try again in a moment.")
        return BadInput(f"{self.where} cannot use this request ({status}): {text}.", "Change it and try again.")

    def _not_found(self, error: APIError, text: str) -> EngineError:
        if "model" in text.lower() or "deployment" in text.lower():
            return ModelNotFound(
                f"{self.where} has no model {self.model}: {text}.", "Check the name, or add the model on that server."
            )
        return Refused(
            f"{self.where} has no {urlsplit(str(error.request.url)).path}.",
            "Check base_url (it usually ends in /v1) and that the server offers this capability.",
        )

    def _rate_limited(self, error: APIStatusError) -> EngineError:
        if error.code == "insufficient_quota":
            return RateLimited(
                f"The account of {self.where} has no credit left.",
                f"Add credit, or set {LOCAL_CHOICE[self.card.task]}.",
            )
        wait_s = _retry_after_s(error)
        when = f"in {wait_s:.0f} s" if wait_s > 1 else "in a moment"
        return RateLimited(
            f"{self.where} is receiving too many requests.", f"Try again {when}, or set {LOCAL_CHOICE[self.card.task]}."
        )


def open_hosted(card: ModelCard, options: EngineOptions, *, timeout_s: float) -> Hosted:
    """A client for `options.endpoint` (OpenAI itself when None). Nothing is sent yet.

    `timeout_s` bounds the wait for the next byte; `options.values["timeout_s"]` overrides it.
    Redirects are not followed, and proxies are not used for this machine's own addresses.

    Raises: MissingKey, BadInput (base_url), Refused (offline mode).
    """
    from openai import AsyncAzureOpenAI, AsyncOpenAI, DefaultAsyncHttpxClient, Timeout

    endpoint = options.endpoint or Endpoint()
    url = endpoint.base_url or OPENAI_URL
    _check(url, endpoint, card, options.offline)
    timeout = Timeout(float(options.values.get("timeout_s", timeout_s)), connect=CONNECT_S)
    common: dict[str, Any] = {
        "api_key": endpoint.api_key or "none",
        "max_retries": 0,
        "timeout": timeout,
        "http_client": DefaultAsyncHttpxClient(timeout=timeout, follow_redirects=False, trust_env=not is_loopback(url)),
    }
    if endpoint.api_version:
        client: AsyncOpenAI = AsyncAzureOpenAI(azure_endpoint=url, api_version=endpoint.api_version, **common)
    else:
        client = AsyncOpenAI(base_url=url, **common)
    return Hosted(client, card, endpoint.key_name)


def failures() -> tuple[type[Exception], ...]:
    """What the client raises when the server is at fault; broken JSON and text come as ValueError."""
    from openai import OpenAIError

    return (OpenAIError, ValueError)


def refuses(error: Exception, parameter: str) -> bool:
    """Whether `error` is the server's complaint about `parameter`."""
    from openai import BadRequestError, UnprocessableEntityError

    return isinstance(error, BadRequestError | UnprocessableEntityError) and parameter in f"{error.param} {error}"


async def until_stopped(work: Awaitable[T], stop: threading.Event) -> T:
    """Await `work`, but cancel it, and so close its connection, soon after `stop` is set.

    Raises: Stopped.
    """
    task = asyncio.ensure_future(work)
    try:
        while not stop.is_set():
            done, _ = await asyncio.wait({task}, timeout=0.1)
            if done:
                return task.result()
        raise Stopped("Stopped.")
    finally:
        task.cancel()


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check(url: str, endpoint: Endpoint, card: ModelCard, offline: bool) -> None:
    provider = card.id.partition(":")[0]
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadInput(
            f"base_url {url!r} of {provider} is not a web address.", "Write it like http://127.0.0.1:11434/v1."
        )
    if offline and not is_loopback(url):
        raise Refused(
            f"Offline mode: {card.id} would leave this machine.",
            f"Set {LOCAL_CHOICE[card.task]}, or start without offline mode.",
        )
    key = endpoint.api_key or ""
    if not key.isascii() or not key.isprintable() or " " in key:
        raise MissingKey(
            f"What {endpoint.key_name} holds is not a key: it has spaces, line ends or letters beyond ASCII.",
            "Copy the key again into .env.",
        )
    if not key and (endpoint.base_url is None or endpoint.api_version):
        raise MissingKey(
            f"No key for {provider}.", f"Put {endpoint.key_name} in .env, or set {LOCAL_CHOICE[card.task]}."
        )


def said(error: APIError) -> str:
    """The server's own words, one short line; none when it sent a page instead of an error."""
    body = error.body
    if isinstance(body, dict):
        return _short(str(body.get("message") or body.get("detail") or body))
    return "no reason given" if not body or "<" in str(body) else _short(str(body))


def _short(text: str) -> str:
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= 200 else line[:199] + "…"


def _is_policy(error: APIError, text: str) -> bool:
    codes = ("content_filter", "content_policy_violation", "moderation_blocked")
    return error.code in codes or "safety system" in text or "content management policy" in text


def _retry_after_s(error: APIStatusError) -> float:
    """Seconds that the server asks to wait (RFC 9110, 10.2.3: a number or a date); 1 when it does not say."""
    value = error.response.headers.get("retry-after", "")
    try:
        if ":" in value:
            return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
        return min(max(0.0, float(value)), LONGEST_TOLD_S)
    except ValueError:
        return 1.0
