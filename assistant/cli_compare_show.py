"""How a comparison looks on the command line: answers side by side while they stream, then whole, then a table of what each took."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from assistant.cli_output import megabytes, note, print_table, print_text
from assistant.comparing import Event
from assistant.leaderboard import Standing

UNKNOWN = "?"
COLUMNS = {
    "text": ("first token", "tokens/s", "tokens", "cost", "memory", "loading", "total"),
    "speech": ("first words", "speed", "word error", "memory", "loading", "total"),
    "image": ("size", "seed", "memory", "loading", "total"),
}
MARKS = {"equal": "{text}", "substitute": "[{reference}→{text}]", "delete": "[-{reference}-]", "insert": "{{+{text}+}}"}
LIVE_LINES, REFRESH_PER_S = 12, 8


class Words:
    """Answers go to stdout once they are whole, the table after them; while they come, a terminal shows them side by side."""

    def __init__(self, blind: bool) -> None:
        self._blind = blind
        self._begun: Event = {}
        self._texts: dict[str, str] = {}
        self._outcomes: dict[str, Event] = {}
        self._states: dict[str, str] = {}
        self._live: Any = None

    def __call__(self, event: Event) -> None:
        letter = event.get("letter", "")
        match event["event"]:
            case "comparison":
                self._begun = event
                self._begin()
            case "started":
                self._states[letter] = "…"
            case "loading":
                self._states[letter] = event["text"]
            case "progress":
                self._states[letter] = f"{event['fraction']:.0%}"
            case "delta":
                self._texts[letter] = self._texts.get(letter, "") + event["text"]
            case "done" | "failed":
                self._outcomes[letter] = event
                self._states[letter] = event["event"]
                self._whole(event)
            case "concluded":
                self._outcomes[letter] = {**self._outcomes[letter], **event, "event": self._outcomes[letter]["event"]}
            case "finished":
                self._finish()
            case "voted":
                self._begun = event
                self._outcomes = {outcome["letter"]: outcome for outcome in event["outcomes"]}
                self._table()
        self._refresh()

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _begin(self) -> None:
        if len(here := self._begun["in_turn"]) > 1:
            note(f"{', '.join(here)} run on this machine and answer one after another.")
        if sys.stdout.isatty():
            from rich.live import Live

            self._live = Live(refresh_per_second=REFRESH_PER_S, transient=True)
            self._live.start()

    def _refresh(self) -> None:
        if self._live is None:
            return
        from rich.columns import Columns
        from rich.panel import Panel
        from rich.text import Text

        rows = self._begun["candidates"]
        width = max(24, self._live.console.width // len(rows) - 1)
        panels = []
        for row in rows:
            lines = textwrap.wrap(self._texts.get(row["letter"], ""), width - 4)[-LIVE_LINES:]
            state = self._states.get(row["letter"], "waits")
            title = Text(f"{row['letter']} {row.get('name', '')}"[: width - 6])
            panels.append(Panel(Text("\n".join(lines)), title=title, subtitle=Text(state), width=width))
        self._live.update(Columns(panels, padding=0))

    def _whole(self, event: Event) -> None:
        """In the order in which they end."""
        text = event.get("path") or event.get("text") or self._texts.get(event["letter"], "")
        lines = [f"— {self._title(event['letter'])} —"]
        if text.strip():
            lines.append(text.strip())
        if event["event"] == "failed":
            lines.append(f"Failed: {event.get('message', '')} {event.get('remedy', '')}".rstrip(": "))
        if event.get("cut"):
            lines.append("(cut at the length limit)")
        if event.get("warning"):
            lines.append(f"({event['warning']})")
        self._print("\n".join(lines) + "\n\n")

    def _print(self, text: str) -> None:
        if self._live is None:
            print_text(text)
        else:
            self._live.console.print(text, end="", markup=False, highlight=False, soft_wrap=True)

    def _finish(self) -> None:
        self.close()
        for letter, outcome in sorted(self._outcomes.items()):
            if outcome.get("diff"):
                against = "the reference" if outcome["against"] == "reference" else outcome["against"]
                print_text(f"{letter} against {against}: {diff_in_words(outcome['diff'])}\n\n")
        if not self._blind:
            self._table()

    def _table(self) -> None:
        columns = COLUMNS[self._begun["task"]]
        rows = [("", "candidate", *columns)]
        for row in self._begun["candidates"]:
            outcome = self._outcomes.get(row["letter"], {"event": "failed"})
            figures = figures_of(outcome) if outcome["event"] == "done" else {}
            cells = [figures.get(column, "") for column in columns]
            if outcome["event"] == "failed":
                cells[0] = "failed"
            rows.append((row["letter"], row.get("name", ""), *cells))
        print_table(rows)

    def _title(self, letter: str) -> str:
        names = {row["letter"]: row.get("name", "") for row in self._begun.get("candidates", ())}
        return f"{letter}  {names.get(letter, '')}".strip()


def figures_of(outcome: Mapping[str, Any]) -> dict[str, str]:
    """The cells of one row; what is not known is a question mark, what does not apply is empty."""
    tokens = outcome.get("completion_tokens")
    error = outcome.get("error_rate")
    return {
        "first token": _seconds(outcome.get("first_token_s")),
        "first words": _seconds(outcome.get("first_token_s")),
        "tokens/s": _plain(outcome.get("tokens_per_s")),
        "tokens": f"{outcome.get('prompt_tokens')}+{tokens}{' *' if outcome.get('counted') else ''}"
        if tokens
        else UNKNOWN,
        "cost": UNKNOWN
        if outcome.get("cost") is None
        else f"{outcome['cost']:.6g} {outcome.get('currency', '')}".strip(),
        "memory": "" if outcome.get("memory_bytes") is None else megabytes(outcome["memory_bytes"]),
        "loading": "" if outcome.get("loading_s") is None else _seconds(outcome["loading_s"]),
        "total": _seconds(outcome.get("total_s")),
        "speed": "" if outcome.get("speed") is None else f"{outcome['speed']:g}×",
        "word error": "" if error is None else f"{error:.1%}",
        "size": f"{outcome.get('width')}×{outcome.get('height')}",
        "seed": _plain(outcome.get("seed")),
    }


def diff_in_words(diff: Sequence[Mapping[str, str]]) -> str:
    """ "the [cat→bat] sat {+down+}"."""
    return " ".join(MARKS[piece["kind"]].format(**piece) for piece in diff)


def standings_table(task: str, standings: Sequence[Standing]) -> None:
    head = ("rank", task, "rating", "95 %", "won", "lost", "tied", "failed")
    rows = [
        (
            str(s.rank),
            s.name,
            f"{s.rating:.0f}",
            f"{s.low:.0f}–{s.high:.0f}",
            *map(str, (s.wins, s.losses, s.ties, s.failures)),
        )
        for s in standings
    ]
    print_table([head, *rows])
    print_text("\n")


def _seconds(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.2f} s"


def _plain(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:g}"
