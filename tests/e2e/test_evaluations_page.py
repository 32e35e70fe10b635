"""The reports of evaluations in the page: listed, opened, read in French, and harmless whatever a model said."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import BrowserContext, expect

from assistant.evaluation.evaluate import write_report
from tests.e2e.conftest import Server, open_page
from tests.evaluations import HOSTILE, report


def test_a_report_is_found_opened_and_read_also_in_french(
    server: Server, new_context: Callable[..., BrowserContext]
) -> None:
    write_report(report(hostile=HOSTILE), server.home / "evaluations")
    page = open_page(new_context(), server)
    page.get_by_role("link", name="Evaluations").click()
    expect(page.get_by_role("listitem")).to_contain_text("Take large: all others are measurably worse.")
    page.get_by_role("listitem").get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="Where they disagree")).to_be_visible()
    expect(page.locator("svg circle")).to_have_count(2)
    expect(page.locator("img, script")).to_have_count(0)
    french = open_page(new_context(locale="fr-FR"), server)
    french.goto(page.url)
    expect(french.locator(".said")).to_have_text("Prenez large : toutes les autres sont moins bonnes, c'est mesurable.")
    french.goto(f"{server.url}/evaluations")
    expect(french.get_by_role("listitem")).to_contain_text("Prenez large")
