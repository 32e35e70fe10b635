"""The page of prompts: make one, try it, change it, go back, use it in the chat, take it away as a file."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.conftest import ANSWER, Server, open_page, picture_of

HOSTILE = "<img src=x onerror=\"document.title='taken'\">"


@pytest.fixture(scope="module")
def prompting(new_server: Callable[..., Server]) -> Server:
    return new_server(ASSISTANT_CHAT_MAX_TOKENS="40").start()


def prompts_page(context: BrowserContext, server: Server, path: str = "") -> Page:
    """As who came from the chat, which gave them their cookie."""
    context.request.post(f"{server.url}/auth/header", data={}, timeout=60_000)
    page = context.new_page()
    page.goto(f"{server.url}/prompts{path}")
    return page


def test_a_prompt_is_made_tried_changed_restored_used_and_exported(
    new_context: Callable[..., BrowserContext], prompting: Server
) -> None:
    context = new_context()
    page = open_page(context, prompting)
    page.get_by_role("link", name="Prompts: keep, try, share").click()
    expect(page.locator("#rows tr")).to_have_count(6)
    expect(page.locator("#rows tr").filter(has_text="/translate").locator(".adds")).to_have_text(
        re.compile(r"about \d+ tokens|no tokens")
    )
    picture_of(page, "prompts")

    page.get_by_role("button", name="New prompt").click()
    page.get_by_label("Title", exact=True).fill("Capitals")
    page.get_by_label("Command", exact=True).fill("image")
    page.get_by_label("Message", exact=True).fill("What is the capital of {{country}}? {{text}}")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#wrong")).to_contain_text("/image is a command of the assistant")
    expect(page.locator("#wrong")).to_contain_text("{{country}}, which is none of its inputs")
    expect(page.locator("[data-place=message] > .wrong")).to_contain_text("{{country}}")
    page.get_by_role("button", name="Add an input").click()
    one = page.get_by_role("group", name="Input 1")
    one.get_by_label("Name").fill("country")
    one = page.get_by_role("group", name="Input country")
    one.get_by_label("Type").select_option("choice")
    one.get_by_label("Choices").fill("France\nItaly")
    one.get_by_label("Default").select_option("France")
    page.get_by_label("Command", exact=True).fill("capital")
    expect(page.locator("#wrong")).to_be_hidden()
    expect(page.locator("#reads")).to_contain_text("What is the capital of France? Good morning!")
    page.locator("#try").get_by_label("country").select_option("Italy")
    page.get_by_label("Text behind the command").fill("In a word.")
    expect(page.locator("#reads")).to_contain_text("What is the capital of Italy? In a word.")
    expect(page.locator("#adds")).to_have_text(re.compile(r"Adds (about \d+|no) tokens"))
    page.get_by_role("button", name="Count exactly").click()
    expect(page.locator("#counted")).to_have_text(re.compile(r"Exactly -?\d+ by llama-cpp:smollm2"), timeout=60_000)
    page.reload()
    expect(page.locator("#draft-note")).to_be_visible()
    expect(page.get_by_label("Title", exact=True)).to_have_value("Capitals")
    picture_of(page, "prompts-editor")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#said")).to_have_text("/capital is saved as version 1.")
    expect(page.locator("#draft-note")).to_be_hidden()

    page.get_by_label("System prompt", exact=True).fill("Answer in one word.")
    page.get_by_label("Message", exact=True).fill("The capital of {{country}}, please. {{text}}")
    page.keyboard.press("Control+s")
    expect(page.locator("#said")).to_have_text("/capital is saved as version 2.")
    expect(page.locator("#said")).to_be_in_viewport()
    expect(page.locator("#dated li")).to_have_count(2)
    page.get_by_role("button", name="What changed since version 1").click()
    expect(page.locator("#dated del")).to_contain_text(["only in version 1", "What is the capital"])
    expect(page.locator("#dated ins")).to_contain_text(["only in the present", "System prompt: Answer in one word."])
    page.locator("#versions").scroll_into_view_if_needed()
    expect(page.locator("#said")).to_be_in_viewport()
    picture_of(page, "prompts-versions")
    page.get_by_role("button", name="Restore version 1").click()
    expect(page.locator("#said")).to_have_text("Version 1 is the newest again, as version 3.")
    expect(page.locator("#said")).to_be_in_viewport()
    expect(page.get_by_label("Message", exact=True)).to_have_value("What is the capital of {{country}}? {{text}}")

    with page.expect_download() as download:
        page.get_by_role("link", name="Export").click()
    assert download.value.suggested_filename == "capital.json"
    (exported,) = json.loads(Path(download.value.path()).read_text("utf-8"))["prompt"]
    assert exported["inputs"][0]["choices"] == ["France", "Italy"] and "system" not in exported

    page.goto(prompting.url)
    page.wait_for_selector("#chat-settings-open-modal")
    page.fill("#chat-input", "/cap")
    page.locator(".command-item", has_text="capital").first.click()
    page.get_by_role("group", name="/capital").get_by_label("country").select_option("Italy")
    page.fill("#chat-input", "In a word.")
    page.keyboard.press("Enter")
    href = page.locator(f"{ANSWER} a[href^='/receipts/']").last.get_attribute("href", timeout=60_000)
    receipt = page.request.get(f"{prompting.url}{href}?format=json").json()
    assert receipt["prompt"]["message"] == "What is the capital of Italy? In a word."
    assert receipt["prompt"]["version"] == 3

    page.goto(f"{prompting.url}/prompts?name=capital")
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator("#said")).to_have_text("/capital is deleted.")
    expect(page.locator("#rows tr")).to_have_count(6)


def test_what_the_last_evaluation_showed_leads_to_its_report(
    new_context: Callable[..., BrowserContext], prompting: Server
) -> None:
    words = {
        "house": "maison",
        "cat": "chat",
        "dog": "chien",
        "water": "eau",
        "bread": "pain",
        "book": "livre",
        "moon": "lune",
        "sun": "soleil",
    }
    data = prompting.home.parent / "words.csv"
    data.write_text("question,reference\n" + "".join(f"{one},{other}\n" for one, other in words.items()), "utf-8")
    model = "llama-cpp:smollm2-135m-instruct max_tokens=12"
    command = ["evaluate", str(data), "-c", model, "-c", f"{model} prompt=/translate", "--lever", "zero-shot"]
    run = [sys.executable, "-m", "assistant.cli", *command]
    subprocess.run(run, check=True, env={"ASSISTANT_HOME": str(prompting.home)}, capture_output=True)
    page = prompts_page(new_context(), prompting)
    row = page.locator("#rows tr").filter(has_text="/translate")
    expect(row.locator(".bought")).to_contain_text(re.compile(r"^(no difference that|[+−][\d.]+ points,).*“words"))
    expect(page.locator("#rows tr").filter(has_text="/email").locator(".bought")).to_be_empty()
    picture_of(page, "prompts-bought")
    row.get_by_role("link", name="report").click()
    expect(page).to_have_url(re.compile("/evaluations/words-"))
    expect(page.locator("body")).to_contain_text("words.csv")


def test_what_ships_is_changed_as_ones_own_and_a_file_is_taken_in(
    new_context: Callable[..., BrowserContext], prompting: Server, tmp_path: Path
) -> None:
    page = prompts_page(new_context(), prompting)
    page.get_by_role("searchbox").fill("transl")
    expect(page.locator("#rows tr")).to_have_count(1)
    page.get_by_role("button", name="Open /translate").click()
    expect(page.locator("#copy-note")).to_be_visible()
    page.get_by_label("Title", exact=True).fill(HOSTILE)
    page.get_by_role("button", name="Save as my own").click()
    expect(page.locator("#facts")).to_contain_text("yours")
    page.get_by_role("button", name="All prompts").click()
    page.get_by_role("searchbox").fill("img")
    expect(page.locator("#rows th button")).to_have_text(HOSTILE)
    assert page.locator("#rows img").count() == 0 and page.title() == "Prompts"

    wrong, right = tmp_path / "wrong.toml", tmp_path / "ode.toml"
    wrong.write_text("[[prompt]]\nname = 'ode'\nmessage = '{{metre}}'", "utf-8")
    right.write_text("message = 'An ode to {{text}}'", "utf-8")
    page.set_input_files("#file", wrong)
    expect(page.locator("#trouble")).to_contain_text("names {{metre}}, which is none of its inputs")
    page.set_input_files("#file", right)
    expect(page.locator("#said")).to_have_text("/ode is kept as version 1.")
    page.get_by_role("searchbox").fill("ode")
    expect(page.locator("#rows tr")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("link", name="Export yours").click()
    exported = json.loads(Path(download.value.path()).read_text("utf-8"))["prompt"]
    assert [prompt["name"] for prompt in exported] == ["ode", "translate"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_french(new_context: Callable[..., BrowserContext], prompting: Server, scheme: str) -> None:
    context = new_context(locale="fr-FR", viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page = prompts_page(context, prompting)
    expect(page.locator("#rows tr").filter(has_text="/courriel")).to_be_visible()
    picture_of(page, f"prompts-phone-{scheme}")
    page.get_by_role("button", name="Ouvrir /courriel").click()
    expect(page.locator("#reads")).to_contain_text("Écris un courriel amical de 120 mots")
    page.get_by_label("Message", exact=True).fill("Écris à {{qui}}")
    page.get_by_role("button", name="Enregistrer pour moi").click()
    expect(page.locator("#wrong")).to_contain_text("Le prompt courriel nomme {{qui}}, qui n'est pas un de ses champs.")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.screenshot(path=f"tests/e2e/screenshots/prompts-phone-editor-{scheme}.png", full_page=True)
    page.set_viewport_size({"width": 1280, "height": 900})
    picture_of(page, f"prompts-french-{scheme}")


def test_nobody_reads_or_changes_without_a_cookie_or_from_another_site(prompting: Server) -> None:
    for path in ("/prompts", "/prompts/api/list", "/prompts/api/prompt?name=translate", "/prompts/api/export"):
        assert httpx.get(prompting.url + path).status_code == 401
    for path in ("save", "remove", "restore", "import", "preview", "tokens"):
        address = f"{prompting.url}/prompts/api/{path}"
        assert httpx.post(address, json={}).status_code == 401
        assert httpx.post(address, json={}, headers={"Origin": "http://elsewhere.example"}).status_code == 403
