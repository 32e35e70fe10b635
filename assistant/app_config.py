"""Where Chainlit finds its settings: a folder inside ASSISTANT_HOME, written anew at each start. Nothing is written elsewhere.

Call `prepare` before anything imports chainlit: it reads its folder, its secret and its settings while it is imported.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from assistant.settings import Settings

MAX_FILES = 10
SIGNED_IN_S = 7 * 24 * 3600
ACCEPTED = {
    "audio/*": [],
    "video/*": [],
    "image/*": [],
    "text/*": [".txt", ".md", ".markdown", ".html", ".htm", ".csv", ".tsv", ".log", ".rst", ".srt", ".vtt"],
    "application/pdf": [".pdf"],
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": [".docx"],
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": [".pptx"],
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": [".xlsx", ".xlsm", ".xlsb"],
    "application/vnd.ms-excel": [".xls"],
    "application/vnd.oasis.opendocument.text": [".odt", ".ods", ".odp"],
    "application/epub+zip": [".epub"],
    "application/rtf": [".rtf"],
    "message/rfc822": [".eml", ".mbox"],
    "application/json": [".json", ".ipynb"],
    "application/zip": [".zip", ".tar", ".gz", ".tgz"],
}
"""What the browser's file dialog offers; the server looks at the content."""
HERE = Path(__file__).parent
LANGUAGES = ("en-US", "fr-FR")
OUTSIDE = ("SLACK_", "TEAMS_", "DISCORD_", "LITERAL_", "OAUTH_", "DATABASE_URL", "BUCKET_NAME", "CHAINLIT_")
"""Variables by which Chainlit would talk to other machines or take its settings from elsewhere."""

CONFIG = """
[project]
session_timeout = 3600
user_session_timeout = {signed_in_s}
allow_origins = []
transports = ["websocket"]

[features]
unsafe_allow_html = false
latex = false
user_message_markdown = false
edit_message = true
allow_thread_sharing = false
favorites = false
auto_tag_thread = false

[features.spontaneous_file_upload]
enabled = true
max_files = {max_files}
max_size_mb = {max_size_mb}
[features.spontaneous_file_upload.accept]
{accept}

[features.audio]
enabled = true
sample_rate = 24000

[features.mcp]
enabled = false

[UI]
name = "Assistant"
description = "Types, hears, draws and looks things up, on your own machine."
cot = "full"
confirm_new_chat = false
custom_css = "/public/page.css"
custom_js = "/public/page.js"
login_page_image = "/public/login.svg"
custom_meta_url = "/"
custom_meta_image_url = "/public/favicon.svg"
[[UI.header_links]]
name = "History"
display_name = ""
icon_url = "/public/history.svg"
url = "/history"
target = "_self"
[[UI.header_links]]
name = "Compare"
display_name = ""
icon_url = "/public/compare.svg"
url = "/compare"
target = "_self"
[[UI.header_links]]
name = "Knowledge"
display_name = ""
icon_url = "/public/knowledge.svg"
url = "/knowledge"
target = "_self"
[[UI.header_links]]
name = "Evaluations"
display_name = ""
icon_url = "/public/evaluations.svg"
url = "/evaluations"
target = "_self"
[[UI.header_links]]
name = "Prompts"
display_name = ""
icon_url = "/public/prompts.svg"
url = "/prompts"
target = "_self"
[[UI.header_links]]
name = "Models"
display_name = ""
icon_url = "/public/models.svg"
url = "/models"
target = "_self"

[meta]
generated_by = "2.12.0"
"""


def prepare(settings: Settings) -> Path:
    """Write Chainlit's folder and point it there. Returns the folder. Raises: OSError."""
    root = settings.home / "page"
    for folder in (root / ".chainlit" / "translations", root / "tmp"):
        folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(root / ".files", ignore_errors=True)
    shutil.copytree(HERE / "public", root / "public", dirs_exist_ok=True)
    for page in HERE.parent.glob("chainlit*.md"):
        shutil.copyfile(page, root / (page.name if "_" in page.name else "chainlit_en-US.md"))
        shutil.copyfile(page, root / page.name)
    (root / ".chainlit" / "config.toml").write_text(_config(settings), "utf-8")
    for name in [n for n in os.environ if n.startswith(OUTSIDE)]:
        del os.environ[name]
    os.environ |= {
        "CHAINLIT_APP_ROOT": str(root),
        "CHAINLIT_AUTH_SECRET": _secret(root / "secret"),
        "CHAINLIT_COOKIE_SAMESITE": "strict",
        "TRACELOOP_TELEMETRY": "false",
        "OTEL_SDK_DISABLED": "true",
    }
    tempfile.tempdir = str(root / "tmp")
    _write_translations(root / ".chainlit" / "translations")
    return root


@cache
def texts(language: str) -> Mapping[str, str]:
    """The page's own words in the language nearest to `language` (fr, fr-CA, en-GB …)."""
    return dict(_translation(_known(language))["page"])


@cache
def knowledge_texts(language: str) -> Mapping[str, str]:
    """The words of the knowledge page, of its server and its script."""
    return dict(_translation(_known(language))["knowledge"])


SHARED = ("gone", "signed_out", "signed_out_remedy", "locale", "kb", "mb", "gb", "today", "yesterday", "to_chat")
"""Words of the knowledge page that its scripts say on others, too."""


@cache
def models_texts(language: str) -> Mapping[str, str]:
    """The words of the page of models, of its server and its script."""
    shared = knowledge_texts(language)
    return {**{name: shared[name] for name in SHARED}, **_translation(_known(language))["models"]}


@cache
def prompts_texts(language: str) -> Mapping[str, str]:
    """The words of the page of prompts, of its server and its scripts."""
    shared = knowledge_texts(language)
    names = (*SHARED, "forget_type")
    return {**{name: shared[name] for name in names}, **_translation(_known(language))["prompts"]}


@cache
def browser_texts(language: str) -> Mapping[str, str]:
    """The words that the browser itself adds to the page."""
    return dict(_translation(_known(language))["browser"])


@cache
def compare_texts(language: str) -> Mapping[str, str]:
    """The words of the page that compares, of its server and its script."""
    shared = ("gone", "signed_out", "signed_out_remedy", "locale", "kb", "mb", "gb", "to_chat")
    knowledge = knowledge_texts(language)
    return {**{name: knowledge[name] for name in shared}, **_translation(_known(language))["compare"]}


OF_LISTS = ("left_s", "left_min", "left_h", "keep_it", "delete", "close")
"""Words of the knowledge page that the page that evaluates says, too."""


@cache
def evaluations_texts(language: str) -> Mapping[str, str]:
    """The words of the page that evaluates, of its server and its script."""
    knowledge = knowledge_texts(language)
    return {**{name: knowledge[name] for name in (*SHARED, *OF_LISTS)}, **_translation(_known(language))["evaluations"]}


def _known(language: str) -> str:
    return "fr-FR" if language.lower().startswith("fr") else "en-US"


@cache
def _translation(language: str) -> dict[str, Any]:
    return dict(json.loads((HERE / "translations" / f"{language}.json").read_text("utf-8")))


def _config(settings: Settings) -> str:
    return CONFIG.format(
        signed_in_s=SIGNED_IN_S,
        accept="\n".join(f"{json.dumps(k)} = {json.dumps(v)}" for k, v in ACCEPTED.items()),
        max_files=MAX_FILES,
        max_size_mb=settings.max_upload_mb,
    )


def _secret(path: Path) -> str:
    """Signs the cookies; made once, readable by its owner only."""
    if not path.exists():
        aside = path.with_suffix(".new")
        aside.touch(mode=0o600)
        aside.write_text(secrets.token_hex(32), "utf-8")
        aside.replace(path)
    return path.read_text("utf-8")


def _write_translations(folder: Path) -> None:
    """Chainlit's words with ours laid over them. Every other French takes the French of France."""
    from chainlit.config import TRANSLATIONS_DIR

    for language in LANGUAGES:
        theirs = json.loads((Path(TRANSLATIONS_DIR) / f"{language}.json").read_text("utf-8"))
        ours = json.dumps(_over(theirs, _translation(language)["chainlit"]), ensure_ascii=False)
        for name in {language, language.partition("-")[0]}:
            (folder / f"{name}.json").write_text(ours, "utf-8")


def _over(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        merged[key] = _over(merged.get(key, {}), value) if isinstance(value, Mapping) else value
    return merged
