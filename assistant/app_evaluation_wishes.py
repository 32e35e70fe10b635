"""What comes from the browser to be evaluated."""

from __future__ import annotations

from pydantic import BaseModel, Field

from assistant.app_compare_wishes import Wished
from assistant.evaluation.levers import LEVERS, Lever
from assistant.shelf import SHARED

MOST = 4


class Asked(BaseModel):
    """`cap` is in the currency of the prices; `rows` is how many are asked, all of them with None; `collection` what the lever retrieval searches."""

    set: str = Field(max_length=64)
    candidates: list[Wished] = Field(min_length=1, max_length=MOST)
    levers: list[Lever] = Field(min_length=1, max_length=len(LEVERS))
    collection: str = Field(SHARED, max_length=300)
    cap: float | None = Field(None, ge=0, le=1_000_000)
    rows: int | None = Field(None, ge=2, le=100_000)

    def searched(self) -> str:
        """Empty where nothing is to be searched."""
        return self.collection if "retrieval" in self.levers else ""
