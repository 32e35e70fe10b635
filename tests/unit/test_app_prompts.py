"""What the page of prompts answers: whose a prompt is, all that is wrong with one, versions, files, and what each bought."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from assistant.evaluation.own import reports_folder
from assistant.settings import load_settings
from tests.unit.test_prompt_gains import report, setup

Client = httpx.AsyncClient
HOSTILE = "<script>alert(1)</script>"
POEM = {
    "name": "poem",
    "title": "Poem",
    "message": "Rhyme {{what}}: {{text}}",
    "inputs": [{"name": "what", "type": "text"}],
}


@pytest.fixture
async def clients(chainlit: None, tmp_path: Path) -> AsyncIterator[Any]:
    """`clients("ada")` asks as ada, of one library; login is on unless told."""
    from chainlit.user import User
    from fastapi import FastAPI

    from assistant import app_prompts, app_prompts_page
    from assistant.app_knowledge import knowledge_failed
    from assistant.app_routes import get_current_user
    from assistant.app_server import _open
    from assistant.app_state import open_page
    from tools.engines.errors import EngineError

    settings = load_settings(tmp_path, {"ASSISTANT_HOME": str(tmp_path / "home")})
    (tmp_path / "home").mkdir()
    here = _open(settings)

    def ask_as(name: str, language: str = "en", login: bool = True) -> Client:
        open_page(replace(here, settings=replace(settings, login=login)))
        app = FastAPI()
        app.include_router(app_prompts.router)
        app.include_router(app_prompts_page.router)
        app.add_exception_handler(EngineError, knowledge_failed)
        app.dependency_overrides[get_current_user] = lambda: User(identifier=name)
        headers = {"Accept-Language": language}
        return Client(transport=httpx.ASGITransport(app), base_url="http://test/prompts/api/", headers=headers)

    yield ask_as
    await here.assistant.close()
    await here.store.close()


async def saved(client: Client, table: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = await client.post("save", json={"prompt": table, **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def rows(client: Client) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in (await client.get("list")).json()["rows"]}


async def test_what_ships_is_listed_in_the_language_of_the_page(clients: Any) -> None:
    english, french = await rows(clients("ada")), await rows(clients("ada", "fr-FR"))
    assert "translate" in english and "traduire" not in english
    assert french["traduire"]["whose"] == "fourni" and "translate" not in french
    assert english["proofread"]["tokens"] > 0 and english["proofread"]["gain"] is None


async def test_ones_own_goes_before_what_is_shared_and_that_before_what_ships(clients: Any) -> None:
    ada, bob = clients("ada"), clients("bob")
    shipped = (await rows(bob))["translate"]
    await saved(ada, {"name": "translate", "message": "Ada's {{text}}"}, shared=True)
    of_ada, of_bob = (await rows(ada))["translate"], (await rows(bob))["translate"]
    assert [shipped["whose"], of_bob["whose"], of_ada["whose"]] == ["ships", "shared by ada", "yours, shared"]
    assert (of_ada["own"], of_bob["own"]) == (True, False)
    await saved(bob, {"name": "translate", "message": "Bob's {{text}}"}, new=True)
    assert (await ada.get("prompt", params={"name": "translate"})).json()["prompt"]["message"] == "Ada's {{text}}"
    assert (await bob.get("prompt", params={"name": "translate"})).json()["prompt"]["message"] == "Bob's {{text}}"


async def test_nobody_reads_or_removes_what_is_not_theirs(clients: Any) -> None:
    ada, bob = clients("ada"), clients("bob")
    await saved(ada, POEM)
    assert "poem" not in await rows(bob)
    for asked in ("prompt?name=poem", "version?name=poem&version=1", "export?name=poem"):
        assert "There is no" in (await bob.get(asked)).json()["detail"]
    for path in ("remove", "restore"):
        answer = await bob.post(path, json={"name": "poem", "version": 1})
        assert answer.status_code == 400
    await saved(ada, POEM, shared=True)
    told = await bob.post("remove", json={"name": "poem"})
    assert told.status_code == 400 and "shared by ada" in told.json()["detail"]
    assert "poem" in await rows(ada)


async def test_all_that_is_wrong_is_told_with_its_place_and_nothing_is_kept(clients: Any) -> None:
    wrong = {**POEM, "title": "x" * 300, "message": "{{whom}}", "examples": [{"question": "q"}]}
    answer = await saved(clients("ada", "fr"), wrong)
    assert [p["place"] for p in answer["problems"]] == ["title", "examples.0", "message"]
    assert answer["problems"][2]["said"].startswith("Le prompt poem nomme {{whom}}")
    assert "poem" not in await rows(clients("ada"))


async def test_a_new_one_does_not_overwrite_what_one_has(clients: Any) -> None:
    await saved(clients("ada"), POEM)
    answer = await saved(clients("ada"), {**POEM, "message": "Other {{what}}"}, new=True)
    assert [p["place"] for p in answer["problems"]] == ["name"]
    assert (await rows(clients("ada")))["poem"]["version"] == 1


async def test_two_cannot_share_one_name(clients: Any) -> None:
    await saved(clients("ada"), POEM, shared=True)
    answer = await saved(clients("bob", "fr"), POEM, shared=True, new=True)
    assert answer["problems"] == [
        {"place": "", "said": "ada partage déjà un prompt nommé poem. Donnez un autre nom au vôtre."}
    ]


async def test_a_preview_fills_in_while_the_prompt_is_not_whole_yet(clients: Any) -> None:
    asked = {"prompt": {**POEM, "name": "", "system": "Be {{mood}}."}, "inputs": {"what": "cats"}, "text": "Now"}
    answer = (await clients("ada").post("preview", json=asked)).json()
    assert answer["filled"] == {"system": "Be {{mood}}.", "message": "Rhyme cats: Now", "examples": []}
    assert [p["place"] for p in answer["problems"]] == ["name", "system"]
    missing = (await clients("ada").post("preview", json={**asked, "inputs": {}})).json()
    assert missing["filled"] is None and "needs what" in missing["trouble"]


async def test_versions_tell_what_changed_and_are_restored(clients: Any) -> None:
    ada = clients("ada")
    await saved(ada, POEM)
    second = {
        **POEM,
        "system": "You are Sappho.",
        "message": "Sing {{what}}: {{text}}",
        "inputs": [{"name": "what", "default": "love"}],
    }
    assert (await saved(ada, second))["said"] == "/poem is saved as version 2."
    assert "still version 2" in (await saved(ada, second))["said"]
    changes = (await ada.get("version", params={"name": "poem", "version": 1})).json()["changes"]
    assert ["-", "Message: Rhyme {{what}}: {{text}}"] in changes
    assert ["+", "System prompt: You are Sappho."] in changes
    assert ["+", "Input: what · text · Default: love"] in changes
    assert (await ada.get("version", params={"name": "poem", "version": 2})).json()["changes"] == []
    restored = await ada.post("restore", json={"name": "poem", "version": 1})
    assert restored.json()["said"] == "Version 1 is the newest again, as version 3."
    whole = (await ada.get("prompt", params={"name": "poem"})).json()
    assert whole["prompt"] == POEM and [v["version"] for v in whole["versions"]] == [3, 2, 1]


async def test_a_version_of_somebody_else_becomes_ones_own(clients: Any) -> None:
    await saved(clients("ada"), POEM, shared=True)
    await saved(clients("ada"), {**POEM, "message": "Other {{what}}"}, shared=True)
    await clients("bob").post("restore", json={"name": "poem", "version": 1})
    assert (await rows(clients("bob")))["poem"]["whose"] == "yours"
    assert (await rows(clients("ada")))["poem"]["version"] == 2


async def test_what_is_exported_is_imported_as_it_was(clients: Any) -> None:
    await saved(clients("ada"), POEM)
    await saved(
        clients("ada"), {"name": "résumé", "message": "Kurz: {{text}}", "examples": [{"question": "q", "answer": "é"}]}
    )
    everything = await clients("ada").get("export")
    assert everything.headers["content-disposition"] == "attachment; filename*=UTF-8''prompts.json"
    one = await clients("ada").get("export", params={"name": "résumé"})
    assert "r%C3%A9sum%C3%A9.json" in one.headers["content-disposition"]
    assert "sandbox" in one.headers["content-security-policy"]
    taken = await clients("bob").post("import", json={"name": "prompts.json", "text": everything.text})
    assert taken.json()["said"] == ["/poem is kept as version 1.", "/résumé is kept as version 1."]
    assert (await clients("bob").get("export")).json() == everything.json()
    again = await clients("bob").post("import", json={"name": "prompts.json", "text": everything.text})
    assert again.json()["said"][0] == "/poem was there already, just as it is."


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        (
            "a.toml",
            "[[prompt]]\nname = 'ok'\nmessage = 'A {{text}}'\n[[prompt]]\nname = 'no way'",
            "cannot name a prompt",
        ),
        ("a.json", "{", "cannot be read"),
        (f"{HOSTILE}.toml", "= 1", "cannot be read"),
        ("a.json", "[]", "holds no prompts"),
    ],
)
async def test_a_file_with_one_wrong_prompt_leaves_nothing(clients: Any, name: str, text: str, told: str) -> None:
    answer = await clients("ada").post("import", json={"name": name, "text": text})
    assert answer.status_code == 400 and told in answer.json()["detail"]
    assert not [row for row in (await rows(clients("ada"))).values() if row["own"]]


async def test_nothing_of_ones_own_to_export_is_told(clients: Any) -> None:
    answer = await clients("ada", "fr").get("export")
    assert answer.status_code == 400 and answer.json()["detail"].startswith("Vous ne gardez encore aucun prompt.")


async def test_hostile_words_stay_words(clients: Any) -> None:
    ada = clients("ada")
    assert [p["place"] for p in (await saved(ada, {**POEM, "name": HOSTILE}))["problems"]] == ["name"]
    await saved(ada, {**POEM, "title": HOSTILE})
    assert (await rows(ada))["poem"]["title"] == HOSTILE
    assert HOSTILE not in (await ada.get("http://test/prompts")).text
    for odd in ("../x", "a/b", "\x00", "x" * 99):
        assert (await ada.get("prompt", params={"name": odd})).status_code == 400
    assert (await ada.post("save", json={"prompt": ["not a table"]})).status_code == 422


async def test_what_was_never_a_prompt_is_told_as_such(clients: Any) -> None:
    odd: list[dict[str, Any]] = [
        {"inputs": "x"},
        {"examples": [1]},
        {"name": 7, "system": {}},
        {"inputs": [{"choices": [1]}]},
        {"profile": "no"},
    ]
    for table in odd:
        assert (await saved(clients("ada"), {**POEM, **table}))["problems"], table


# What it bought


def written(home: Path, told: dict[str, Any] | None = None, name: str = "r1", owner: str = "", **values: Any) -> None:
    """A report of the command line; of the page of `owner` where that is said."""
    told = told or report([1] * 12, [0] * 9 + [1] * 3, setups=both())
    more = {"version": 1, "recommendation": {}, "scores": ["exact"]}
    folder = (reports_folder(home, owner) if owner else home / "evaluations") / name
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps(told | more | values), "utf-8")


def both() -> list[dict[str, Any]]:
    return [setup("plain"), setup("poem", 32, prompt='/poem@1 what="cats"', message="Rhyme cats: {{text}}")]


async def test_what_the_last_evaluation_showed_stands_beside_the_prompt(clients: Any, tmp_path: Path) -> None:
    client = clients("local", login=False)
    await saved(client, POEM)
    written(tmp_path / "home")
    gain = {"said": "+75 points, exact match, on “d.csv”", "report": "/evaluations/r1", "good": True}
    assert (await rows(client))["poem"]["gain"] == gain
    await saved(client, {**POEM, "title": "Ode"})
    french = (await rows(clients("local", "fr", login=False)))["poem"]["gain"]
    assert french["said"] == "+75 points, réponse exacte, sur « d.csv » (version 1)"


async def test_with_login_neither_the_report_nor_its_data_is_named(clients: Any, tmp_path: Path) -> None:
    await saved(clients("ada"), POEM)
    written(tmp_path / "home")
    gain = (await rows(clients("ada")))["poem"]["gain"]
    assert gain == {"said": "+75 points, exact match, on the evaluated questions", "report": None, "good": True}


async def test_an_evaluation_in_the_page_is_told_whole_to_its_owner_alone(clients: Any, tmp_path: Path) -> None:
    await saved(clients("ada"), {**POEM, "name": "poem"}, shared=True)
    written(tmp_path / "home", owner="ada")
    gain = {"said": "+75 points, exact match, on “d.csv”", "report": "/evaluations/r1", "good": True}
    assert (await rows(clients("ada")))["poem"]["gain"] == gain
    assert (await rows(clients("bob")))["poem"]["gain"] is None


async def test_an_evaluation_of_somebody_elses_prompt_of_that_name_does_not_count(clients: Any, tmp_path: Path) -> None:
    await saved(clients("bob"), {"name": "poem", "message": "Bob's {{text}}"})
    written(tmp_path / "home")
    assert (await rows(clients("bob")))["poem"]["gain"] is None


async def test_fewer_word_errors_and_no_difference_are_told_as_they_are(clients: Any, tmp_path: Path) -> None:
    client = clients("local", login=False)
    await saved(client, POEM)
    written(tmp_path / "home", report([0.1] * 10, [0.4] * 10, "word_error", setups=both()))
    assert (await rows(client))["poem"]["gain"]["said"].startswith("−30 points, word error")
    none = report([1, 0] * 6, [0, 1] * 6, created="2026-02-02", setups=both())
    written(tmp_path / "home", none, "r2")
    gain = (await rows(client))["poem"]["gain"]
    assert gain["good"] is None and gain["said"].startswith("no difference that “d.csv” can show")


async def test_a_report_that_cannot_be_read_is_passed_over(clients: Any, tmp_path: Path) -> None:
    await saved(clients("ada"), POEM)
    written(tmp_path / "home", version=99)
    written(tmp_path / "home", name="r2", rows=[{"answers": {}}])
    assert (await rows(clients("ada")))["poem"]["gain"] is None


async def test_the_page_is_whole_in_both_languages(clients: Any) -> None:
    for language, word in (("en", "New prompt"), ("fr", "Nouveau prompt")):
        answer = await clients("ada", language).get("http://test/prompts")
        assert word in answer.text and f'<html lang="{language}">' in answer.text
        assert answer.headers["cache-control"] == "no-store"
