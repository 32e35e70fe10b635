"""generate_image: a picture from words, from a picture and words, or from the picture before with a wish added."""

from __future__ import annotations

import asyncio
import io
import re
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from tools.context import Artifact, Notice, Progress, TextDelta, ToolContext, ToolOutput
from tools.engines.base import GeneratedImage, ImageRequest, Message
from tools.engines.errors import BadInput

# What stands around the wish itself: "could you please draw me a picture of … please?"
_POLITE = (
    r"please|pls|hey|hi|hello|and now|and|then|now|ok|okay|et maintenant|et|maintenant|und|jetzt|s'il (?:te|vous) pla[iî]t|stp|svp|bonjour|salut|bitte|por favor|per favore|"
    r"(?:can|could|would|will) you|i(?:'d| would)? (?:want|like|need|love)(?: you)?(?: to)?|let's|"
    r"(?:peux|pourrais)[- ]tu|tu peux|(?:pouvez|pourriez)[- ]vous|vous pouvez|je (?:veux|voudrais)|j'aimerais|"
    r"kannst du|können sie|ich (?:möchte|will)|puedes|quiero|puoi|vorrei"
)
_VERBS = (
    r"re-?draw|draw|paint|sketch|generate|create|make|illustrate|render|design|imagine|produce|show|"
    r"(?:re)?dessine[rz]?|peins|peindre|peignez|génère[rz]?|générer|générez|crée[rz]?|créer|créez|fais|faire|faites|"
    r"montre[rz]?|illustre[rz]?|imagine[rz]?|zeichne|male|erstelle|erzeuge|zeig|dibuja|pinta|crea|genera|disegna|dipingi"
)
_FOR = r"me|us|moi|nous|mir|uns|mi|-moi|-nous"
_PICTURE = (
    r"(?:(?:an?|the|another|une?|l'|ein|eine|una|un)\s*)?(?:new |nouvelle |neues )?"
    r"(?:picture|image|pic|bild|imagen|immagine|dibujo|disegno|dessin)\s+(?:of|showing|with|that shows|de|d'|du|des|avec|"
    r"montrant|von|mit|di|con)"
)
_LEAD = re.compile(
    rf"^(?:(?:{_POLITE})\b[\s,!]*)*(?:(?:(?:{_FOR})\s)?(?:{_VERBS})(?:\s*(?:{_FOR}))?\b\s*)?(?:{_PICTURE}\s*)?",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r"[\s,]*(?:please|for me|thanks|thank you|s'il (?:te|vous) pla[iî]t|stp|svp|merci|bitte|por favor|per favore)?[\s.!?…]*$",
    re.IGNORECASE,
)
# What marks a wish about the picture before: "now at night", "make it blue", "the same in winter", "et sans chapeau".
_CHANGE = re.compile(
    rf"^(?:(?:{_POLITE})\b[\s,!]*)*(?:"
    r"(?P<link>and now|and|but|now|then|again|instead|this time|once more|another one|one more|the same(?: one| picture)?(?: but)?|same|"
    r"maintenant|et maintenant|et|mais|encore(?: une?(?: fois)?)?|(?:la|le) même(?: mais)?|pareil(?: mais)?|plutôt|cette fois|"
    r"jetzt|und|aber|nochmal|dasselbe|ahora|pero|otra vez|ora|ma|ancora)\b[\s,]*)?"
    rf"(?P<it>(?:{_VERBS}|change|turn|modifie|rends|mets)(?:\s(?:it|her|him|them|that|this one|the same|es)|-l[ae]s?)\b\s*(?:again|encore|nochmal)?[\s,]*(?:(?:but|mais|aber)\b\s*)?)?"
    r"(?P<add>(?:with|without|at|in|on|more|less|avec|sans|de nuit|en|plus|moins|mit|ohne|bei|con|sin|senza)\b)?",
    re.IGNORECASE,
)
_SAME_AGAIN = re.compile(
    r"^(?:again|encore(?: une(?: fois)?)?|another(?: one)?|one more|une autre|un autre|nochmal|otra vez|ancora)?$",
    re.IGNORECASE,
)
_CAPTION = re.compile(r"^\*([^*\n]+)\*", re.MULTILINE)


async def generate_image(context: ToolContext) -> AsyncIterator[ToolOutput]:
    """Draw what the person describes; with a picture attached, change that picture."""
    request = image_request(context)
    engine = context.image()
    began, loop = time.monotonic(), asyncio.get_running_loop()
    steps: asyncio.Queue[tuple[int, int] | None] = asyncio.Queue()
    yield Progress(None, text=request.prompt)

    def on_step(done: int, total: int) -> None:
        loop.call_soon_threadsafe(steps.put_nowait, (done, total))

    task = asyncio.create_task(engine.generate(request, on_step, context.stop))
    task.add_done_callback(lambda _: steps.put_nowait(None))
    first: float | None = None
    try:
        while (step := await steps.get()) is not None:
            first = first or time.monotonic()
            yield _progress(*step, since_first=time.monotonic() - first)
        picture = await task
    finally:
        task.cancel()
        await asyncio.wait([task])
    path = await asyncio.to_thread(save_picture, picture, request.prompt, context.artifacts)
    if picture.warning:
        yield Notice(picture.warning)
    yield TextDelta(caption(request.prompt))
    yield Artifact("image", path, "image/png", _meta(picture, request.prompt, round(time.monotonic() - began, 2)))


def image_request(context: ToolContext) -> ImageRequest:
    """What the turn asks of the engine. Raises: BadInput (a size that is none)."""
    options = context.options
    attached = next((a.path for a in context.attachments if a.kind == "image"), None)
    source, mask = options.get("image") or attached, options.get("mask")
    previous = None if source else previous_prompt(context.history)
    return ImageRequest(
        prompt=picture_prompt(context.request, previous),
        negative_prompt=options.get("negative_prompt") or "",
        size=_size(options.get("size")),
        steps=options.get("steps"),
        guidance_scale=options.get("guidance_scale"),
        seed=options.get("seed"),
        image=Path(source) if source else None,
        mask=Path(mask) if mask else None,
    )


def picture_prompt(request: str, previous: str | None = None) -> str:
    """The wish without the words that ask for it; a wish about the `previous` picture is added to its prompt."""
    text = " ".join(request.replace("’", "'").split())
    if previous and (change := _change(text)) is not None:
        return f"{previous}, {change}" if change else previous
    wish = _TAIL.sub("", _LEAD.sub("", text, count=1))
    return wish or text


def previous_prompt(history: Sequence[Message]) -> str | None:
    """The prompt of the newest picture of the conversation, as its caption tells."""
    for message in reversed(history):
        if message.role == "assistant" and (found := _CAPTION.match(message.content)):
            return found[1]
    return None


def caption(prompt: str) -> str:
    """The prompt in italics: it tells the person what was drawn, and the next turn what to change."""
    return f"*{' '.join(prompt.replace('*', ' ').split())}*"


def save_picture(picture: GeneratedImage, prompt: str, folder: Path) -> Path:
    """Write the picture as PNG, with how it was made in its text chunks; the file stands only once it is whole."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for name, value in _meta(picture, prompt, picture.seconds).items():
        info.add_itxt(name, str(value))
    folder.mkdir(parents=True, exist_ok=True)
    slug = "-".join(re.findall(r"\w+", prompt.lower()))[:40].strip("-") or "picture"
    path = folder / f"{slug}-{picture.seed if picture.seed is not None else 'x'}-{time.time_ns():x}.png"
    aside = path.with_suffix(".part")
    with Image.open(io.BytesIO(picture.png)) as opened:
        opened.save(aside, "PNG", pnginfo=info)
    aside.replace(path)
    return path


def _change(text: str) -> str | None:
    """What `text` asks to change in the picture before; empty for "again"; None where it asks for a new picture."""
    bare = _TAIL.sub("", text)
    found = _CHANGE.match(bare)
    if not found or not any(found.groupdict().values()):
        return "" if _SAME_AGAIN.match(bare) else None
    rest = bare[found.start("add") if found["add"] else found.end() :].strip(" ,")
    if not found["it"] and re.match(rf"(?:{_VERBS})\b", rest, re.IGNORECASE):
        return None
    return "" if _SAME_AGAIN.match(rest) else rest


def _progress(done: int, total: int, since_first: float) -> Progress:
    """The first step is left out of the estimate: it also waits for memory and caches."""
    eta = since_first / (done - 1) * (total - done) if done > 1 else None
    return Progress(done / total, None if eta is None else round(eta, 1), f"{done}/{total}")


def _meta(picture: GeneratedImage, prompt: str, seconds: float) -> dict[str, Any]:
    return {
        "model": picture.model,
        "seed": picture.seed,
        "steps": picture.steps,
        "width": picture.width,
        "height": picture.height,
        "seconds": seconds,
        "prompt": prompt,
    }


def _size(value: Any) -> tuple[int, int] | None:
    if value is None or isinstance(value, tuple):
        return value
    found = re.fullmatch(r"\s*(\d{1,5})\s*[x×]\s*(\d{1,5})\s*", str(value), re.IGNORECASE)
    if not found:
        raise BadInput(f"The size {value!r} is not width x height.", "Write it such as 512x512.")
    return int(found[1]), int(found[2])
