"""What a request wants drawn: a new picture, or the one before changed, once more, or larger; with prompt, size and number.

The words that ask ("could you please draw me …") are no part of a prompt. English and French, and the commonest words of others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tools.engines.picture_input import Size, parse_size

MOST_PICTURES = 8
LONGEST_PROMPT = 4000
"""Characters; what hosted models take."""

Way = Literal["new", "change", "another", "same", "larger", "restore", "colour"]

_POLITE = (
    r"please|pls|hey|hi|hello|and now|and|then|now|ok|okay|et maintenant|et|maintenant|und|jetzt|s'il (?:te|vous) pla[iî]t|stp|svp|bonjour|salut|bitte|por favor|per favore|"
    r"(?:can|could|would|will) you|i(?:'d| would)? (?:want|like|need|love)(?: you)?(?: to)?|let's|"
    r"(?:peux|pourrais)[- ]tu|tu peux|(?:pouvez|pourriez)[- ]vous|vous pouvez|je (?:veux|voudrais)|j'aimerais|"
    r"kannst du|können sie|ich (?:möchte|will)|puedes|quiero|puoi|vorrei"
)
_VERBS = (
    r"re-?draw|draw|paint|sketch|generate|create|make|illustrate|render|design|imagine|produce|show|"
    r"(?:re)?dessine[rz]?|peins|peindre|peignez|génère[rz]?|générer|générez|crée[rz]?|créer|créez|fais|faire|faites|"
    r"montre[rz]?|illustre[rz]?|imagine[rz]?|zeichne|male|erstelle|erzeuge|zeig|dibuja|pinta|crea|genera|disegna|dipingi"
)
_FOR = r"me|us|moi|nous|mir|uns|mi|-moi|-nous"
_PICTURE = (
    r"(?:(?:an?|the|another|une?|l'|ein|eine|una|un)\s*)?(?:new |nouvelle |neues )?"
    r"(?:picture|image|pic|bild|imagen|immagine|dibujo|disegno|dessin)\s+(?:of|showing|with|that shows|de|d'|du|des|avec|"
    r"montrant|von|mit|di|con)"
)
_LEAD = re.compile(
    rf"^(?:(?:{_POLITE})\b[\s,!]*)*(?:(?:(?:{_FOR})\s)?(?:{_VERBS})(?:\s*(?:{_FOR}))?\b\s*)?(?:{_PICTURE}\s*)?",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r"[\s,]*(?:please|for me|thanks|thank you|s'il (?:te|vous) pla[iî]t|stp|svp|merci|bitte|por favor|per favore)?[\s.!?…]*$",
    re.IGNORECASE,
)
_BEFORE = re.compile(rf"^(?:(?:{_POLITE})\b[\s,!]*)*", re.IGNORECASE)
# What marks a wish about the picture before: "now at night", "make it blue", "the same in winter", "et sans chapeau".
_CHANGE = re.compile(
    rf"^(?:(?:{_POLITE})\b[\s,!]*)*(?:"
    r"(?P<link>and now|and|but|now|then|again|instead|this time|once more|another one|one more|the same(?: one| picture)?(?: but)?|same|"
    r"maintenant|et maintenant|et|mais|encore(?: une?(?: fois)?)?|(?:la|le) même(?: mais)?|pareil(?: mais)?|plutôt|cette fois|"
    r"jetzt|und|aber|nochmal|dasselbe|ahora|pero|otra vez|ora|ma|ancora)\b[\s,]*)?"
    rf"(?P<it>(?:{_VERBS}|change|turn|modifie|rends|mets)(?:\s(?:it|her|him|them|that|this one|the same|es)|-l[ae]s?)\b\s*(?:again|encore|nochmal)?[\s,]*(?:(?:but|mais|aber)\b\s*)?)?"
    r"(?P<add>(?:with|without|at|in|on|more|less|avec|sans|de nuit|en|plus|moins|mit|ohne|bei|con|sin|senza)\b)?",
    re.IGNORECASE,
)
# The verbs of an editor: what they bring is added to the prompt, what they take away is left out of the picture.
_GIVE = re.compile(
    r"^(?:give (?:(?:the|a|his|her) \S+|it|him|her|them) |add |put |(?:donne|ajoute|mets)[rz]?(?:-lui|-leur)? )(?P<what>.+)$",
    re.IGNORECASE,
)
_TAKE = re.compile(
    r"^(?:remove|delete|erase|take away|enlève[rz]?|retire[rz]?|efface[rz]?|supprime[rz]?) (?P<what>.+)$", re.I
)
_EDIT = re.compile(
    r"^(?:make (?:the|his|her|its|their) |turn (?:it|the \S+) (?:in)?to |(?:change|replace|colou?r|swap) |"
    r"(?:rends|change|remplace|colorie)[rz]? )",
    re.IGNORECASE,
)
_SAME_AGAIN = re.compile(
    r"^(?:again|encore(?: une(?: fois)?)?|another(?: one)?|one more|more|une autre|un autre|d'autres|nochmal|otra vez|ancora)?$",
    re.IGNORECASE,
)
_SEED = re.compile(
    r"^(?:again |encore |the same )?(?:with (?:this|the same|that) seed|avec (?:cette|la même) graine)$", re.I
)
_LARGER = re.compile(
    r"^(?:make (?:it|this|that) )?(?:bigger|larger|upscaled?(?: it)?|enlarge(?: it)?|(?:in|at) a higher resolution|"
    r"en plus grand|plus grande?|agrandi[rs]?(?:-l[ae])?|größer)$",
    re.IGNORECASE,
)
_PHOTO = (
    r"(?:[\s-]+(?:l')?(?:it|this|that|these|the|my|our|her|his|an?|l[ae]s?|cette|ce|ces|ma|mon|une?|old|damaged|faded|torn|scratched|black|and|white|"
    r"vieille|vieux|ancienne?|abîmée?|en|noir|et|blanc|photo(?:s|graph|graphie)?|picture|pic|image|portrait))*"
)
_RESTORE = re.compile(
    rf"^(?:restore|repair|clean up|remove the scratches from|restaure[rz]?|répare[rz]?|nettoie|nettoyer|restauriere){_PHOTO}$",
    re.I,
)
_COLOUR = re.compile(
    rf"^(?:colou?ri[sz]e|add colou?rs? to|colorise[rz]?|mets en couleurs?|koloriere){_PHOTO}(?: in colou?r)?$", re.I
)
_NUMBERS = (
    "two|deux|zwei",
    "three|trois|drei",
    "four|quatre|vier",
    "five|cinq",
    "six|sechs",
    "seven|sept",
    "eight|huit",
)
_COUNT = re.compile(
    rf"\b(?P<n>\d{{1,3}}|{'|'.join(_NUMBERS)})\s+(?:more\b|autres\b|(?:different |new )?(?:pictures|images|drawings|variations|"
    r"versions|photos|dessins|variantes|bilder)\b)(?:\s+(?:of|de|d'|du|des|with|showing|von))?\s*",
    re.IGNORECASE,
)
_SIZE = re.compile(
    r"[\s,]*(?:\b(?:in|at|en|size|de)\s+)?(?<![\w.])(?P<size>\d{1,6}\s?[x×]\s?\d{1,6})\b(?:\s*(?:pixels|px))?", re.I
)
_WITHOUT = re.compile(
    r"[\s,]*\b(?:and |et |but |mais )?(?:without|sans|ohne|sin|senza)\s+(?:any |an? |the |de |d'|le |la |les )?(?P<what>[^,.;]+)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Wish:
    """`way` says what becomes of the picture before: nothing (new), or it is changed, drawn once more, drawn exactly so
    again, made larger, restored or given colours. `given` is the number of pictures that was asked for, before it was cut to `MOST_PICTURES`."""

    prompt: str
    way: Way = "new"
    negative_prompt: str = ""
    count: int = 1
    size: Size | None = None
    given: int = 1


def picture_wish(request: str, previous: str | None = None) -> Wish:
    """What `request` wants, where `previous` is the prompt of the picture before it or of the one attached to it.

    Raises: BadInput for a size that no model draws.
    """
    text = " ".join(request.replace("’", "'").split())
    size, given = None, 1
    if found := _SIZE.search(text):
        size, text = parse_size(found["size"]), _without_match(text, found)
    if found := _COUNT.search(text):
        given, text = _number(found["n"]), _without_match(text, found)
    common = {"size": size, "count": min(max(given, 1), MOST_PICTURES), "given": given}
    bare = _TAIL.sub("", text)
    asked = _BEFORE.sub("", bare)
    if (repair := "restore" if _RESTORE.match(asked) else "colour" if _COLOUR.match(asked) else None) is not None:
        return Wish(previous or "", repair, **common)  # type: ignore[arg-type]
    if previous and (way := _about_the_same(asked)):
        return Wish(previous, way, **common)  # type: ignore[arg-type]
    if previous and (change := _change(bare)) is not None:
        return _changed(previous, change, common)
    wish = _TAIL.sub("", _LEAD.sub("", text, count=1)) or bare or text
    left_out = [found["what"].strip() for found in _WITHOUT.finditer(wish)]
    kept = _WITHOUT.sub("", wish).strip(" ,") if left_out else wish
    return Wish(kept or wish, "new", ", ".join(left_out) if kept else "", **common)  # type: ignore[arg-type]


def _about_the_same(text: str) -> Way | None:
    return (
        "same"
        if _SEED.match(text)
        else "larger"
        if _LARGER.match(text)
        else "another"
        if _SAME_AGAIN.match(text)
        else None
    )


def _changed(previous: str, change: str, common: Mapping[str, object]) -> Wish:
    left_out = [found["what"].strip() for found in _WITHOUT.finditer(change)]
    added = _WITHOUT.sub("", change).strip(" ,")
    prompt = f"{previous}, {added}" if added else previous
    way: Way = "change" if change else "another"
    return Wish(prompt, way, ", ".join(left_out), **common)  # type: ignore[arg-type]


def _change(bare: str) -> str | None:
    """What is asked to change in the picture before; empty for "again"; None where a new picture is asked for."""
    wish = _BEFORE.sub("", bare)
    if found := _GIVE.match(wish):
        word = "avec" if re.match(r"(?:donne|ajoute|mets)", wish, re.IGNORECASE) else "with"
        return f"{word} {found['what']}"
    if found := _TAKE.match(wish):
        return f"without {found['what']}"
    if _EDIT.match(wish):
        return wish
    changed = _CHANGE.match(bare)
    if not changed or not any(changed.groupdict().values()):
        return None
    rest = bare[changed.start("add") if changed["add"] else changed.end() :].strip(" ,")
    if not changed["it"] and re.match(rf"(?:{_VERBS})\b", rest, re.IGNORECASE):
        return None
    return "" if _SAME_AGAIN.match(rest) else rest


def _number(word: str) -> int:
    if word.isdecimal():
        return int(word)
    return next(n for n, names in enumerate(_NUMBERS, 2) if word.lower() in names.split("|"))


def _without_match(text: str, found: re.Match[str]) -> str:
    return " ".join(f"{text[: found.start()]} {text[found.end() :]}".split())
