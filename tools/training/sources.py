"""Where the drawings come from: pinned packages of openly licensed pictures, fetched with npm and apt and unpacked into one folder."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

CLIP_ART = "openclipart-svg"
CLIP_ART_VERSION = "1:0.18+dfsg-19"
LABELS = ("emojibase-data", "17.0.0")
MOST_SVG_BYTES = 250_000
"""A larger clip art is a traced photograph: slow to render and no simple drawing."""


@dataclass(frozen=True)
class IconSet:
    """An Iconify package. `style` and `style_fr` are the words that name how it draws."""

    package: str
    version: str
    style: str
    style_fr: str
    licence: str


SETS: dict[str, IconSet] = {
    "fluent-flat": IconSet("@iconify-json/fluent-emoji-flat", "1.2.6", "flat", "plat", "MIT"),
    "fluent": IconSet("@iconify-json/fluent-emoji", "1.2.7", "3D", "3D", "MIT"),
    "noto": IconSet("@iconify-json/noto", "1.2.9", "cartoon", "dessin animé", "Apache-2.0"),
    "twemoji": IconSet("@iconify-json/twemoji", "1.2.5", "simple", "simple", "CC-BY-4.0"),
    "flat-color": IconSet("@iconify-json/flat-color-icons", "1.2.3", "icon", "icône", "MIT"),
}
CLIP_ART_STYLE = ("clip art", "clip art")

_SKIN = re.compile(r"skin-tone|-(light|medium|dark)$|medium-(light|dark)")
_NOT_DRAWINGS = re.compile(
    r"(^|-)(flag|keycap|letter|letters|button|input|o-clock|oclock|thirty|squared|japanese|trade-mark|registered|copyright|"
    r"regional|indicator|logo|numbers|abc|abcd|digit|number|tone|component|hair)(-|$)|^flag-|^[a-z0-9]{1,2}$|^u[0-9a-f]{4,}|^\d|"
    r"^(medical-symbol|part-alternation-mark|information|atm-sign|on-arrow|soon-arrow|top-arrow|end-arrow|back-arrow)"
)
_NOT_CLIP_ART = re.compile(
    r"flag|logo|letter|alphabet|font|number|map|blank|typograph|theme|/(special|buttons?|geography|computer|shapes|signs_and_symbols)/",
    re.IGNORECASE,
)
_NOT_TITLES = re.compile(r"theme|collection|clip ?art|untitled|icon|\btest\b|drawing|^svg", re.IGNORECASE)
MOST_OF_ONE_TITLE = 4


@dataclass(frozen=True)
class Drawing:
    """One SVG before it is rendered. `concept` is the same for the same thing in several sets."""

    source: str
    concept: str
    title: str
    title_fr: str
    words: tuple[str, ...]
    svg: str


def fetch(folder: Path) -> None:
    """Download and unpack every package into `folder`; what is there already stays.

    Raises: subprocess.CalledProcessError when npm or apt cannot.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, (package, version) in {
        **{name: (s.package, s.version) for name, s in SETS.items()},
        "labels": LABELS,
    }.items():
        if not (folder / name).exists():
            told = subprocess.run(
                ["npm", "pack", "--silent", f"{package}@{version}"],
                cwd=folder,
                check=True,
                capture_output=True,
                text=True,
            )
            _unpack(folder / told.stdout.split()[-1], folder / name)
    if not (folder / "clip-art").exists():
        subprocess.run(["apt-get", "download", f"{CLIP_ART}={CLIP_ART_VERSION}"], cwd=folder, check=True)
        archive = next(folder.glob(f"{CLIP_ART}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", str(archive), str(folder / "clip-art")], check=True)
        archive.unlink()


def _unpack(archive: Path, target: Path) -> None:
    aside = target.with_suffix(".part")
    shutil.rmtree(aside, ignore_errors=True)
    with tarfile.open(archive) as opened:
        opened.extractall(aside, filter="data")
    (aside / "package").rename(target)
    shutil.rmtree(aside)
    archive.unlink()


def emoji_drawings(folder: Path, name: str) -> Iterator[Drawing]:
    """The drawings of the Iconify set `name`, without flags, letters, buttons, clock faces and skin tones."""
    icons = json.loads((folder / name / "icons.json").read_text(encoding="utf-8"))
    # fluent-emoji lists no code points; it names its icons as fluent-emoji-flat does.
    by_name = {icon: code for s in (*SETS, name) for code, icon in _chars(folder / s).items()}
    labels = emoji_labels(folder)
    width, height = icons.get("width", 16), icons.get("height", 16)
    for icon, data in icons["icons"].items():
        if data.get("hidden") or _SKIN.search(icon) or _NOT_DRAWINGS.search(icon):
            continue
        spoken = icon.replace("-", " ")
        title, title_fr, words, concept = labels.get(_plain_code(by_name.get(icon, "")), (spoken, "", (), spoken))
        w, h = data.get("width", width), data.get("height", height)
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 {w} {h}">{data["body"]}</svg>'
        yield Drawing(name, concept, title, title_fr, words, svg)


def emoji_labels(folder: Path) -> dict[str, tuple[str, str, tuple[str, ...], str]]:
    """By code point: (English label, French label, English keywords, the label again as the concept)."""
    french = {e["hexcode"]: e["label"] for e in _labels(folder, "fr")}
    return {
        _plain_code(e["hexcode"]): (e["label"], french.get(e["hexcode"], ""), tuple(e.get("tags", ())), e["label"])
        for e in _labels(folder, "en")
    }


def clip_art_drawings(folder: Path) -> Iterator[Drawing]:
    """Debian's open clip art, without flags, maps, logos and letters; French where a keyword is an emoji's English label."""
    french = {en: fr for en, fr, _, _ in emoji_labels(folder).values() if fr}
    seen: Counter[str] = Counter()
    for path in sorted((folder / "clip-art").rglob("*.svg*")):
        if (
            path.is_symlink()
            or path.stat().st_size > MOST_SVG_BYTES
            or _NOT_CLIP_ART.search(str(path.relative_to(folder)))
        ):
            continue
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".svgz" else path.read_bytes()
        try:
            svg = raw.decode("utf-8")
            title, words = _titles(ElementTree.fromstring(raw))  # noqa: S314 - files of a Debian package
        except (ElementTree.ParseError, UnicodeDecodeError):
            continue
        folder_words = tuple(p.replace("_", " ") for p in path.relative_to(folder).parts[-3:-1])
        words = tuple(dict.fromkeys((*words, *(w for w in folder_words if w != "unsorted"))))
        known = next((french[w] for w in (title.lower(), *words) if w in french), "")
        seen[title.lower()] += 1
        told = re.search(r"[a-z]{3}", title, re.IGNORECASE) and not _NOT_TITLES.search(title)
        if told and seen[title.lower()] <= MOST_OF_ONE_TITLE:
            yield Drawing("clip-art", title.lower(), title, known, words, svg)


def _titles(root: ElementTree.Element) -> tuple[str, tuple[str, ...]]:
    dc = "{http://purl.org/dc/elements/1.1/}"
    rdf = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
    title = next((t.text for t in root.iter(f"{dc}title") if t.text and t.text.strip()), "") or ""
    words = tuple(li.text.strip().lower() for s in root.iter(f"{dc}subject") for li in s.iter(f"{rdf}li") if li.text)
    title = re.sub(r"[_\-]+|\s+\d+$|\b[\w.]+\.svg\b", " ", title)
    return " ".join(title.split())[:80], tuple(w for w in words if w and w != "svg" and len(w) < 30 and "hash" not in w)


def _labels(folder: Path, language: str) -> Iterator[dict[str, Any]]:
    yield from json.loads((folder / "labels" / language / "data.json").read_text(encoding="utf-8"))


def _chars(folder: Path) -> dict[str, str]:
    path = folder / "chars.json"
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def _plain_code(code: str) -> str:
    return "-".join(part for part in code.lower().split("-") if part not in ("fe0f", "fe0e"))
