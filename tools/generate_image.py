"""generate_image: pictures from words, from a picture and words, or from the picture before with a wish added."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tools.context import Artifact, Notice, Progress, TextDelta, ToolContext, ToolOutput
from tools.engines.base import GeneratedImage, ImageGenerator, ImageRequest
from tools.engines.device import telling_place
from tools.engines.errors import BadInput, CannotChange
from tools.engines.picture_input import parse_size
from tools.enlarging import REFINED, larger_size, refine
from tools.picture_files import read_facts, save_bytes, save_picture
from tools.picture_filter import check_prompt
from tools.picture_wishes import LONGEST_PROMPT, MOST_PICTURES, Way, Wish, picture_wish
from tools.restoring import TREATMENTS, Repair, size_for, with_light_of

ENLARGED = 2
SHOWN_PROMPT = 300
TOLD_AGAIN_S = 2.0
ANEW = "{model} cannot change a picture: it was drawn anew from the words."

_took_s: dict[str, float] = {}
"""Seconds of each model's last picture."""


@dataclass(frozen=True)
class Order:
    """What the turn asks for: the first picture's request, how many, and what was said on the way."""

    request: ImageRequest
    count: int = 1
    way: Way = "new"
    notices: tuple[str, ...] = ()


async def generate_image(context: ToolContext) -> AsyncIterator[ToolOutput]:
    """Draw what the person describes; with a picture attached, or after one, change that picture."""
    order = await asyncio.to_thread(picture_order, context)
    engine = context.image()
    for line in (*order.notices, *_licence(context, engine)):
        yield Notice(line)
    yield Progress(None, text=order.request.prompt[:SHOWN_PROMPT])
    seed = order.request.seed
    if seed is None and order.count > 1 and engine.card.runs == "local":
        seed = random.randrange(2**31)
    warned: set[str] = set()
    for n in range(order.count):
        drawing = _Drawing(context, engine, order, n, replace(order.request, seed=None if seed is None else seed + n))
        async for output in drawing.run():
            if not isinstance(output, Notice) or output.text not in warned:
                yield output
            if isinstance(output, Notice):
                warned.add(output.text)


class _Drawing:
    """One picture of an order, the n-th."""

    def __init__(
        self, context: ToolContext, engine: ImageGenerator, order: Order, n: int, request: ImageRequest
    ) -> None:
        self._context, self._engine, self._order, self._n = context, engine, order, n
        self._request = request
        self._began = time.monotonic()
        self._first: float | None = None
        self._preview: bytes | None = None
        self._done = 0
        self._ahead = 0

    async def run(self) -> AsyncIterator[ToolOutput]:
        steps: asyncio.Queue[Progress | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def on_step(done: int, total: int, preview: bytes | None = None, /) -> None:
            loop.call_soon_threadsafe(lambda: steps.put_nowait(self._progress(done, total, preview)))

        def on_place(ahead: int) -> None:
            self._ahead = ahead
            steps.put_nowait(self._in_line())

        with telling_place(on_place):
            task = asyncio.create_task(self._draw(on_step))
        task.add_done_callback(lambda _: steps.put_nowait(None))
        try:
            while (step := await self._next(steps)) is not None:
                yield step
            picture, told = await task
        except asyncio.CancelledError:
            self._keep_preview()
            raise
        finally:
            task.cancel()
            await asyncio.wait([task])
        _took_s[self._engine.card.id] = picture.seconds
        meta = _meta(self._engine, self._request, picture, round(time.monotonic() - self._began, 2))
        facts = bool(self._context.options.get("facts", True))
        path = await asyncio.to_thread(save_picture, picture, meta, self._context.artifacts, facts=facts)
        for line in (told, picture.warning):
            if line:
                yield Notice(line)
        if self._n == 0:
            yield TextDelta(caption(self._request.prompt))
        yield Artifact("image", path, "image/png", meta)

    async def _next(self, steps: asyncio.Queue[Progress | None]) -> Progress | None:
        """In a line the place is told again and again, since nothing else moves."""
        try:
            async with asyncio.timeout(TOLD_AGAIN_S if self._ahead else None):
                return await steps.get()
        except TimeoutError:
            return self._in_line()

    def _in_line(self) -> Progress:
        """The time left is as many pictures as are ahead, by what the last one took."""
        if not self._ahead:
            return Progress(None, text=self._request.prompt[:SHOWN_PROMPT])
        took_s = _took_s.get(self._engine.card.id)
        ahead = f"Waiting for {self._ahead} other picture{'s' if self._ahead > 1 else ''} to be drawn first"
        return Progress(None, took_s and round(took_s * self._ahead, 1), ahead)

    async def _draw(self, on_step: Any) -> tuple[GeneratedImage, str]:
        """(the picture, what was done instead of what was asked): a model without a way to change pictures draws anew."""
        request, model = self._request, self._engine.card.id
        if self._order.way == "larger":
            return await refine(self._engine, request, on_step, self._context.stop)
        if (way := self._order.way) in TREATMENTS:
            picture = await self._engine.generate(request, on_step, self._context.stop)
            if way == "colour" and request.image:
                picture = await asyncio.to_thread(with_light_of, request.image, picture)
            return picture, TREATMENTS[way].told
        try:
            return await self._engine.generate(request, on_step, self._context.stop), ""
        except CannotChange:
            if self._order.way != "change":
                raise
            words = replace(request, image=None, mask=None, strength=None)
            self._request = words
            return await self._engine.generate(words, on_step, self._context.stop), ANEW.format(model=model)

    def _progress(self, done: int, total: int, preview: bytes | None) -> Progress:
        """The first step is left out of the estimate: it also waits for memory and caches."""
        now, count = time.monotonic(), self._order.count
        self._ahead = 0
        self._first = self._first or now
        self._preview, self._done = preview or self._preview, done
        left = total - done + (count - self._n - 1) * total
        eta_s = round((now - self._first) / (done - 1) * left, 1) if done > 1 else None
        text = f"{done}/{total}" if count == 1 else f"{self._n + 1}/{count} · {done}/{total}"
        return Progress((self._n + done / total) / count, eta_s, text, preview)

    def _keep_preview(self) -> None:
        """Of a picture that was stopped, what could be seen by then."""
        if not self._preview:
            return
        request = self._request
        path = save_bytes(self._preview, ".jpg", request.prompt, request.seed, self._context.artifacts)
        meta = {"model": self._engine.card.id, "prompt": request.prompt, "stopped_at_step": self._done}
        self._context.keep(Artifact("image", path, "image/jpeg", meta))


def picture_order(context: ToolContext) -> Order:
    """What the turn asks of the engine. Raises: BadInput (a size that is none, a prompt that is not drawn here)."""
    options = context.options
    attached = next((a.path for a in context.attachments if a.kind == "image"), None)
    source = Path(options["image"]) if options.get("image") else attached
    before = read_facts(source) if source else _last_picture(context)
    wish = _wish(context, before)
    request = ImageRequest(
        prompt=wish.prompt[:LONGEST_PROMPT],
        negative_prompt=wish.negative_prompt or str(options.get("negative_prompt") or ""),
        size=wish.size or (parse_size(str(options["size"])) if options.get("size") else None),
        steps=options.get("steps"),
        guidance_scale=options.get("guidance_scale"),
        seed=options.get("seed"),
        image=source,
        mask=Path(options["mask"]) if options.get("mask") else None,
        strength=options.get("strength"),
        loras=tuple(Path(path) for path in options.get("lora") or ()),
        preview=True,
    )
    return Order(_about_before(request, wish.way, before), wish.count, wish.way, tuple(_notices(context, wish)))


def caption(prompt: str) -> str:
    """The prompt in italics tells the person what was drawn; a long one is shown in part."""
    shown = " ".join(prompt.replace("*", " ").split())
    return f"*{shown if len(shown) <= SHOWN_PROMPT else shown[:SHOWN_PROMPT].rstrip() + ' …'}*"


def _wish(context: ToolContext, before: Mapping[str, Any]) -> Wish:
    count = int(context.options.get("count") or 1)
    if exact := context.options.get("prompt"):
        return Wish(str(exact), "new", "", count, None, count)
    wish = picture_wish(context.request, str(before.get("prompt") or "") or None)
    return wish if wish.given > 1 else replace(wish, count=min(max(count, 1), MOST_PICTURES), given=count)


def _notices(context: ToolContext, wish: Wish) -> list[str]:
    lines = []
    if wish.given > MOST_PICTURES:
        lines.append(f"{wish.given} pictures were asked for; {MOST_PICTURES} are drawn at a time.")
    if len(wish.prompt) > LONGEST_PROMPT:
        lines.append(f"The prompt has {len(wish.prompt):,} characters; only the first {LONGEST_PROMPT:,} were used.")
    warned = check_prompt(wish.prompt, context.options.get("filter", "off"))
    return [*lines, warned] if warned else lines


def _licence(context: ToolContext, engine: ImageGenerator) -> list[str]:
    """Once a thread, where the licence of the model has something against commercial use."""
    card = engine.card
    if not card.commercial_use or any(picture.meta.get("model") == card.id for picture in context.pictures):
        return []
    if card.commercial_use == "forbidden":
        return [f"The licence of {card.id} ({card.licence}) forbids commercial use."]
    return [f"The licence of {card.id} ({card.licence}) limits commercial use: {card.commercial_use}."]


def _last_picture(context: ToolContext) -> Mapping[str, Any]:
    """How the newest whole picture of the thread was made, and where it lies as "path"."""
    for picture in reversed(context.pictures):
        if "width" in picture.meta and picture.path.is_file():
            return {**picture.meta, "path": picture.path}
    return {}


def _about_before(request: ImageRequest, way: Way, before: Mapping[str, Any]) -> ImageRequest:
    """The request with what it takes over from the picture before."""
    if way in TREATMENTS:
        return _repaired(request, way, before)
    if way == "new" or not before:
        return request
    known = replace(request, negative_prompt=request.negative_prompt or str(before.get("negative_prompt") or ""))
    size = (int(before["width"]), int(before["height"]))
    if way == "another":
        return replace(known, image=None, size=request.size or size)
    if way == "same":
        return replace(
            known,
            image=_there(before.get("image")),
            mask=_there(before.get("mask")),
            size=size,
            seed=before.get("seed"),
            steps=before.get("steps"),
            guidance_scale=before.get("guidance_scale"),
            strength=before.get("strength"),
        )
    source = request.image or before["path"]
    if way == "larger":
        return replace(
            known,
            image=source,
            size=request.size or larger_size(size, ENLARGED),
            seed=before.get("seed"),
            strength=REFINED,
        )
    return replace(known, image=source, size=request.size or size, seed=before.get("seed"))


def _repaired(request: ImageRequest, way: Repair, before: Mapping[str, Any]) -> ImageRequest:
    """Raises: BadInput where there is no photograph."""
    photo = request.image or before.get("path")
    if photo is None:
        raise BadInput("There is no photograph to restore.", "Attach it and ask again.")
    treatment = TREATMENTS[way]
    return replace(
        request,
        prompt=", ".join(filter(None, (request.prompt, treatment.prompt))),
        negative_prompt=request.negative_prompt or treatment.negative_prompt,
        image=photo,
        mask=None,
        size=request.size or size_for(photo),
        strength=request.strength or treatment.strength,
    )


def _there(path: Any) -> Path | None:
    return Path(path) if path and Path(path).is_file() else None


def _meta(engine: ImageGenerator, request: ImageRequest, picture: GeneratedImage, seconds: float) -> dict[str, Any]:
    """What is known of a picture, so that it can be made again; nothing stands there that is not known."""
    more = {
        "licence": engine.card.licence,
        "negative_prompt": request.negative_prompt,
        "guidance_scale": request.guidance_scale,
        "strength": request.strength,
        "image": request.image and str(request.image),
        "mask": request.mask and str(request.mask),
    }
    made = {
        "model": picture.model,
        "seed": picture.seed,
        "steps": picture.steps,
        "width": picture.width,
        "height": picture.height,
        "seconds": seconds,
        "prompt": request.prompt,
    }
    return made | {name: value for name, value in more.items() if value not in (None, "", "unknown")}
