"""Text and figures as a report shows them."""

from __future__ import annotations

import re
from typing import Any

LONGEST = 2_000
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What no page can show, and marks that turn the direction of what stands beside them."""


def shown(text: Any, longest: int = LONGEST) -> str:
    """Text without what no page can show, cut where it is very long, which is said. It still has to be escaped."""
    clean = _CONTROL.sub("\ufffd", str(text))
    return clean if len(clean) <= longest else f"{clean[:longest]} … ({len(clean) - longest} more characters)"


def number(value: float | None, digits: int = 2) -> str:
    return "—" if value is None else f"{value:.{digits}f}"
