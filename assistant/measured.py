"""What was measured of models on this machine: one small file in ASSISTANT_HOME, written whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = "measured-models.json"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Measured:
    """One run of a short fixed job. `speed` is in `unit`: tokens/s, times real time, seconds a picture, or texts/s.
    `load_s` went by until the model was ready; `memory_bytes` is what the process grew by at most, None for hosted models."""

    date: str
    device: str
    seconds: float
    load_s: float
    speed: float
    unit: str
    memory_bytes: int | None = None
    first_token_s: float | None = None


@dataclass(frozen=True)
class Probed:
    """How many of a few fixed requests a model met rightly: with the tool call, or with what a picture shows."""

    date: str
    right: int
    of: int

    @property
    def works(self) -> bool:
        return self.right == self.of


@dataclass(frozen=True)
class Known:
    """What this machine knows of one model; None where nobody has looked."""

    measured: Measured | None = None
    tool_calls: Probed | None = None
    sight: Probed | None = None


@dataclass
class Measurements:
    """Read once; `put` writes."""

    path: Path
    _models: dict[str, Known] = field(default_factory=dict)

    def of(self, model_id: str) -> Known:
        return self._models.get(model_id, Known())

    def models(self) -> list[str]:
        return list(self._models)

    def seeing(self) -> list[str]:
        """The models that were shown pictures and saw them."""
        return [name for name, known in self._models.items() if known.sight and known.sight.works]

    def put(self, model_id: str, **found: Measured | Probed) -> None:
        """Raises: OSError."""
        self._models = {**_read(self.path), model_id: dataclasses.replace(self.of(model_id), **found)}  # type: ignore[arg-type]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        aside = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        text = json.dumps({name: dataclasses.asdict(known) for name, known in self._models.items()}, indent=1)
        aside.write_text(text, "utf-8")
        aside.replace(self.path)


def measurements(home: Path) -> Measurements:
    """Those of one ASSISTANT_HOME. A file that cannot be read counts as empty, and the log says so."""
    return Measurements(home / FILE, _read(home / FILE))


def _read(path: Path) -> dict[str, Known]:
    try:
        data: Mapping[str, Mapping[str, Any]] = json.loads(path.read_text("utf-8"))
        return {
            name: Known(
                Measured(**found["measured"]) if found.get("measured") else None,
                *(Probed(**found[name]) if found.get(name) else None for name in ("tool_calls", "sight")),
            )
            for name, found in data.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError):
        log.warning("%s cannot be read and counts as empty", path)
        return {}
