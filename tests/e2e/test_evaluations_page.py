"""The page that evaluates: a data set brought in, corrected and reviewed, one made of a thumb, runs, reports, what changed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from assistant.evaluation.evaluate import write_report
from tests.e2e.conftest import Server, answer, open_page, picture_of
from tests.evaluations import HOSTILE, report
from tests.openai_server import OpenAIServer, Received, Reply

TOWNS = ("Arwick", "Belton", "Cormouth", "Dunham", "Eldale", "Farford", "Arton", "Belham", "Cordale", "Dunwick")


def code(town: str) -> str:
    return f"{town.upper()}-{len(town) * 7}"


def rows() -> str:
    """Ten right rows and, as line 3, one without its reference."""
    lines = [
        json.dumps({"question": f"Which code has the gate of {t}?", "reference": code(t), "tags": "gates"})
        for t in TOWNS
    ]
    lines.insert(2, json.dumps({"question": f"Who keeps the gate? {HOSTILE}"}))
    return "\n".join(lines)


def by_model(received: Received) -> Reply:
    """`large` knows every code; `small` knows none; `slow` takes its time."""
    question = received.body["messages"][-1]["content"]
    known = next((code(t) for t in TOWNS if t in question), "the keeper")
    model = received.body["model"]
    return Reply((known if model != "small" else "I do not know",), delay_s=0.7 if model == "slow" else 0.0)


@pytest.fixture(scope="module")
def models() -> Iterator[OpenAIServer]:
    with OpenAIServer(rule=by_model) as server:
        yield server


@pytest.fixture(scope="module")
def evaluating(new_server: Callable[..., Server], models: OpenAIServer) -> Iterator[Server]:
    server = new_server(ASSISTANT_CHAT="lab:large")
    (server.home.parent / "assistant.toml").write_text(f'[endpoints.lab]\nbase_url = "{models.url}"\n', "utf-8")
    server.start()
    yield server
    server.stop()


def evaluations(context: BrowserContext, server: Server) -> Page:
    """As who came from the chat, which gave them their cookie."""
    context.request.post(f"{server.url}/auth/header", data={}, timeout=60_000)
    page = context.new_page()
    page.goto(f"{server.url}/evaluations")
    expect(page.get_by_role("heading", name=re.compile("Data sets|Jeux de données"))).to_be_visible()
    return page


def bring(page: Page, folder: Path, name: str = "gates.jsonl") -> None:
    (folder / name).write_text(rows(), "utf-8")
    page.locator("#file").set_input_files(folder / name)


def choose(page: Page, *names: str) -> None:
    """Each of them as another model than the listed ones."""
    while page.locator(".candidate").count() < len(names):
        page.get_by_role("button", name="Add a candidate").click()
    while page.locator(".candidate").count() > len(names):
        page.locator(".candidate .remove").last.click()
    for n, name in enumerate(names):
        form = page.locator(".candidate").nth(n)
        form.locator(".model").select_option("…")
        form.locator(".model-id").fill(f"lab:{name}")


def newest(page: Page) -> Locator:
    return page.locator("#runs > li").first


def start(page: Page, calls: str) -> None:
    expect(page.locator("#estimate")).to_contain_text(calls)
    page.get_by_role("button", name="Start").click()


def test_a_file_with_a_bad_row_is_corrected_reviewed_evaluated_and_compared(
    new_context: Callable[..., BrowserContext], evaluating: Server, tmp_path: Path
) -> None:
    page = evaluations(new_context(), evaluating)
    bring(page, tmp_path)
    expect(page.locator("#problems")).to_contain_text("1 of 11 rows must be corrected")
    expect(page.locator("#problems li")).to_have_text("Line 3: it has no reference, the right answer.")
    picture_of(page, "evaluations-bad-row")
    page.get_by_role("link", name="Correct them").click()
    entry = page.locator(".entry")
    expect(entry).to_have_count(1)
    expect(entry.locator(".question")).to_have_value(re.compile("Who keeps the gate"))
    page.wait_for_timeout(100)
    picture_of(page, "evaluations-review")
    entry.get_by_role("button", name="Accept").click()
    expect(entry.locator(".wrong")).to_contain_text("no reference")
    expect(entry.locator(".reference")).to_be_focused()
    page.keyboard.type("the keeper")
    page.keyboard.press("Control+Enter")
    expect(entry.locator(".state")).to_have_text("accepted")
    page.locator("label:has([name=show][value=all])").click()
    expect(page.locator(".entry")).to_have_count(11)
    page.locator(".entry").nth(10).focus()
    page.keyboard.press("d")
    expect(page.locator(".entry").nth(10).locator(".state")).to_have_text("dropped")
    page.goto(f"{evaluating.url}/evaluations")
    expect(page.locator("#set-list > li")).to_contain_text("10 accepted")
    choose(page, "small", "large")
    page.get_by_label("One example").check()
    start(page, "32 answers to 8 rows")
    expect(newest(page).locator(".state")).to_have_text("done", timeout=60_000)
    page.set_viewport_size({"width": 1280, "height": 1700})
    picture_of(page, "evaluations")
    newest(page).get_by_role("link", name="Open the report").click()
    expect(page.locator(".said")).to_contain_text("lab:large")
    expect(page.locator("img, script")).to_have_count(0)
    page.goto(f"{evaluating.url}/evaluations")
    choose(page, "large")
    start(page, "10 answers to 10 rows")
    expect(page.locator("#reports > li")).to_have_count(2)
    for tick in page.get_by_label(re.compile("Compare the report on")).all():
        tick.check()
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", name="What changed")).to_be_visible()
    expect(page.locator(".changes tbody tr")).to_contain_text("lab:large · zero-shot")
    expect(page.locator(".changes [data-verdict]")).to_have_text("no difference that this data can show")
    picture_of(page, "evaluations-changes")


def test_a_thumb_in_the_chat_becomes_a_row(new_context: Callable[..., BrowserContext], evaluating: Server) -> None:
    context = new_context()
    chat = open_page(context, evaluating)
    answer(chat, "Write a short poem about Arwick.")
    chat.locator("button.positive-feedback-off").last.click()
    chat.locator("#submit-feedback").click()
    expect(chat.locator("button.positive-feedback-on").last).to_be_visible()
    page = evaluations(context, evaluating)
    page.get_by_role("button", name="Use my marked answers").click()
    entry = page.locator(".entry").last
    expect(entry.locator(".question")).to_have_value("Write a short poem about Arwick.")
    expect(entry.locator(".reference")).to_have_value(code("Arwick"))
    expect(entry.locator(".state")).to_have_text("to review")
    entry.focus()
    page.keyboard.press("a")
    expect(entry.locator(".state")).to_have_text("accepted")
    expect(page.locator("#count")).to_have_text("All rows are reviewed.")


def test_a_run_that_was_killed_is_continued_without_asking_again(
    new_context: Callable[..., BrowserContext], evaluating: Server, models: OpenAIServer, tmp_path: Path
) -> None:
    page = evaluations(new_context(), evaluating)
    bring(page, tmp_path, "killed.jsonl")
    expect(page.locator("#problems")).to_be_visible()
    page.locator("#set").select_option(label="killed.jsonl (10 accepted)")
    choose(page, "slow")
    start(page, "10 answers to 10 rows")
    expect(newest(page).locator(".state")).to_contain_text(re.compile(r"[3-9]0 %.*left"), timeout=30_000)
    picture_of(page, "evaluations-running")
    evaluating.kill()
    asked = sum(r.body.get("model") == "slow" for r in models.received)
    evaluating.start()
    page = evaluations(new_context(), evaluating)
    expect(newest(page).locator(".state")).to_contain_text("interrupted")
    newest(page).get_by_role("button", name="Continue").click()
    expect(newest(page).locator(".state")).to_have_text("done", timeout=30_000)
    again = sum(r.body.get("model") == "slow" for r in models.received)
    assert again <= 10 + 4 and again - asked < 10


def test_a_report_of_the_command_line_is_read_also_in_french(
    new_context: Callable[..., BrowserContext], evaluating: Server
) -> None:
    write_report(report(hostile=HOSTILE), evaluating.home / "evaluations")
    page = open_page(new_context(), evaluating)
    page.get_by_role("link", name="Evaluations").click()
    shown = page.locator("#reports > li", has_text="command line")
    expect(shown).to_contain_text("Take large: all others are measurably worse.")
    shown.get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="Where they disagree")).to_be_visible()
    expect(page.locator("svg circle")).to_have_count(2)
    expect(page.locator("img, script")).to_have_count(0)
    french = open_page(new_context(locale="fr-FR"), evaluating)
    french.goto(page.url)
    expect(french.locator(".said")).to_have_text("Prenez large : toutes les autres sont moins bonnes, c'est mesurable.")
    french.goto(f"{evaluating.url}/evaluations")
    expect(french.locator("#reports > li", has_text="ligne de commande")).to_contain_text("Prenez large")
    for width, name in ((390, "evaluations-phone"), (1280, "evaluations-dark")):
        french.set_viewport_size({"width": width, "height": 1500})
        french.emulate_media(color_scheme="dark" if width > 390 else "light")
        french.wait_for_timeout(200)
        picture_of(french, name)
        assert french.evaluate("document.documentElement.scrollWidth <= innerWidth")
