"""Before anything is compared: where the whole question would go, to all candidates, and about what that would cost."""

from __future__ import annotations

from collections.abc import Sequence

from assistant.answers import options_of, prompt_of
from assistant.candidates import Candidate
from assistant.comparing import CAPABILITY
from assistant.engines import Engines
from assistant.estimates import PASSAGES, USUAL_ANSWER, Estimate, Leg, leg_of, tokens_about
from assistant.votes import Task
from tools.engines.base import Message, Usage


def estimate_comparison(
    engines: Engines, task: Task, asked: str, candidates: Sequence[Candidate], sound_s: float | None = None
) -> Estimate:
    """`asked` is the question or the prompt, `sound_s` how long the recording is. Asks no model and no server.

    Raises: SettingsError.
    """
    legs = [leg for c in candidates for leg in _legs(engines, task, asked, c, sound_s)]
    return Estimate("compare", legs)


def _legs(engines: Engines, task: Task, asked: str, candidate: Candidate, sound_s: float | None) -> list[Leg]:
    capability = CAPABILITY[task]
    about, most = _usages(engines, task, asked, candidate, sound_s)
    wanted = [(capability, about, most)]
    if candidate.retrieval:
        question = Usage(prompt_tokens=tokens_about(asked))
        wanted.append(("embedding", question, question))
        if engines.settings.reranker.model:
            wanted.append(("reranker", question, question))
    models = {capability: candidate.model}
    return [leg for one in wanted if (leg := leg_of(engines, models, *one))]


def _usages(
    engines: Engines, task: Task, asked: str, candidate: Candidate, sound_s: float | None
) -> tuple[Usage, Usage]:
    """As a rule, and at most."""
    if task == "speech":
        return Usage(audio_s=sound_s), Usage(audio_s=sound_s)
    if task == "image":
        return Usage(pictures=1), Usage(pictures=1)
    prompt = sum(tokens_about(message.content) for message in prompt_of(candidate, [Message("user", asked)]))
    prompt += PASSAGES if candidate.retrieval else 0
    longest = int(options_of(candidate, engines)["max_tokens"])
    return Usage(prompt, min(USUAL_ANSWER, longest), counted=True), Usage(prompt, longest, counted=True)
