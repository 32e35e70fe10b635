"""What engines and files say to a person, in the language of the page. Engines speak English and know no page."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from assistant.app_errors_compare import COMPARE
from assistant.app_errors_costs import COSTS
from assistant.app_errors_documents import READING
from assistant.app_errors_evaluations import EVALUATIONS
from assistant.app_errors_knowledge import KNOWLEDGE
from assistant.app_errors_models import MODELS
from assistant.app_errors_pictures import PICTURES
from assistant.app_errors_prompts import PROMPTS
from assistant.app_errors_skipped import SKIPPED
from assistant.app_errors_speech import SPEECH
from assistant.app_errors_web import WEB

FRENCH: tuple[tuple[str, str], ...] = (
    *COMPARE,
    *PICTURES,
    *COSTS,
    (r"No picture model is chosen yet\.", "Aucun modèle d'image n'est encore choisi."),
    (
        r"Set ASSISTANT_IMAGE=starter:drawings for icons and simple drawings, diffusers:<folder or hub id of a pipeline>, "
        r"such as (\S+), for photographs too, or (ASSISTANT_IMAGE=\S+)\.",
        r"Réglez ASSISTANT_IMAGE=starter:drawings (icônes et dessins simples), ASSISTANT_IMAGE=\1 (aussi des photos) ou \2 (hébergé), puis redémarrez.",
    ),
    (r"Pictures are switched off here\.", "Les images sont désactivées ici."),
    (r"Set ASSISTANT_IMAGE_ENABLED=true to switch them on\.", "Réglez ASSISTANT_IMAGE_ENABLED=true pour les activer."),
    (
        r"The message is empty\. Type a question, speak, or drop a file\.",
        "Le message est vide. Écrivez une question, parlez ou déposez un fichier.",
    ),
    (
        r"(.+) is empty\. Save it again and drop it once more\.",
        r"\1 est vide. Enregistrez-le de nouveau et déposez-le encore une fois.",
    ),
    (
        r"(.+) is of a kind that cannot be read here \((.+)\)\. .*",
        r"\1 est d'un type qui ne se lit pas ici (\2). On peut lire des enregistrements, des vidéos, des images, des archives et des documents (PDF, Office, OpenDocument, HTML, EPUB, e-mail, texte).",
    ),
    (
        r"(.+) has ([\d,]+) MB; the limit is ([\d,]+) MB\. .*",
        r"\1 fait \2 Mo ; la limite est de \3 Mo. Découpez-le, ou augmentez ASSISTANT_MAX_UPLOAD_MB.",
    ),
    (
        r"(.+) cannot be reached.*\. Check that it runs.*",
        r"\1 est injoignable. Vérifiez qu'il fonctionne et que base_url est juste, ou choisissez un modèle de cette machine.",
    ),
    (
        r"(.+) did not answer in time\. .*",
        r"\1 n'a pas répondu à temps. Réessayez, ou choisissez un modèle de cette machine.",
    ),
    (r"(.+) does not accept the key\. Check (\S+) in \.env\.", r"\1 n'accepte pas la clé. Vérifiez \2 dans .env."),
    (r"(.+) is receiving too many requests\. .*", r"\1 reçoit trop de demandes. Réessayez dans un instant."),
    (
        r"No key for (.+)\. Put (\S+) in \.env, .*",
        r"Il manque la clé de \1. Mettez \2 dans .env, ou choisissez un modèle de cette machine.",
    ),
    (
        r"(.+) broke off: the answer was cut\. .*",
        r"\1 s'est interrompu : la réponse est coupée. Ce qui est venu est gardé ; redemandez la suite.",
    ),
    (
        r"The answer reached its length limit\. Say “continue” for the rest\.",
        "La réponse a atteint sa longueur maximale. Dites « continue » pour la suite.",
    ),
    (
        r"The first (\d+) turns of this conversation no longer fit the model's memory and were left out\.",
        r"Les \1 premiers échanges de cette conversation ne tiennent plus dans la mémoire du modèle et ont été laissés de côté.",
    ),
    (
        r"The language is a guess \((.+), (.+) sure\)\. .*",
        r"La langue est devinée (\1, sûr à \2). Si le texte semble faux, choisissez la langue et recommencez.",
    ),
    (
        r"(\S+) is weak in this language \((.+)\): expect mistakes\. A larger model, such as (\S+), does better\.",
        r"\1 est faible dans cette langue (\2) : attendez-vous à des erreurs. Un plus grand modèle, comme \3, fait mieux.",
    ),
    (
        r"(.+): The file is cut off: (.+) of (.+) could be read\.",
        r"\1 : le fichier est tronqué : \2 sur \3 ont pu être lus.",
    ),
    (
        r"(.+): The file is cut off: it ends after (.+), before its own end mark\.",
        r"\1 : le fichier est tronqué : il s'arrête après \2, avant sa fin prévue.",
    ),
    (
        r"(.+): (\d+) damaged places were left out; (.+) could be read\.",
        r"\1 : \2 endroits endommagés ont été laissés de côté ; \3 ont pu être lus.",
    ),
    (
        r"(.+) needs (.+) GB of memory and (.+) GB are free\. .*",
        r"\1 demande \2 Go de mémoire et \3 Go sont libres. Fermez d'autres programmes ou choisissez un modèle plus petit.",
    ),
    (
        r"The package piper-tts is not installed\. .*",
        'Le paquet piper-tts n\'est pas installé. Lancez `make voice` (pip install "assistant[voice]").',
    ),
    (
        r"piper broke off: (.+)\. Try again, .*",
        r"piper s'est interrompu : \1. Réessayez, ou choisissez une autre voix.",
    ),
    (r"(.+) broke off while it spoke\. Try again\.", r"\1 s'est interrompu pendant qu'il parlait. Réessayez."),
    (
        r"This conversation belongs to somebody else\. Start a new one\.",
        "Cette conversation appartient à quelqu'un d'autre. Commencez-en une nouvelle.",
    ),
    (
        r"Something went wrong: (.+) The log has the details; try again\.",
        r"Quelque chose s'est mal passé : \1 Le journal a les détails ; réessayez.",
    ),
    *SKIPPED,
    *WEB,
    *SPEECH,
    *READING,
    *KNOWLEDGE,
    *MODELS,
    *EVALUATIONS,
    *PROMPTS,
)
"""A pattern of the English line, whole, and its French; what no pattern fits stays English."""


LISTED = re.compile(r"([\d,]+ files; left out|.+? holds no files that can be read): (.+?)(\.?)", re.DOTALL)
"""A list of reasons, of which each may hold semicolons itself."""


def in_language(text: str, language: str) -> str:
    """The line in the page's language, "fr" or "fr-FR"; in English where it has no translation."""
    if not language.lower().startswith("fr"):
        return text
    alone = _translated(text, SKIPPED)
    return alone or _listed(text) or _left_out(text) or _in_two(text) or _translated(text) or _by_sentence(text)


def told(message: str, remedy: str, language: str) -> str:
    """What went wrong and what helps, as one line."""
    return " ".join(in_language(part, language) for part in (message, remedy) if part)


@functools.lru_cache(maxsize=4096)
def _translated(line: str, table: tuple[tuple[str, str], ...] = FRENCH) -> str | None:
    for pattern, translation in table:
        if found := re.fullmatch(pattern, line, re.DOTALL):
            return found.expand(translation)
    return None


def _listed(text: str) -> str | None:
    """What was read, or that nothing was, and why the rest was left out."""
    if not (found := LISTED.fullmatch(text)):
        return None
    head, reasons, stop = found.groups()
    if french := _translated(head.removesuffix("; left out") if head.endswith("; left out") else f"{head}."):
        left_out = " ; laissés de côté" if head.endswith("; left out") else ""
        return f"{french.removesuffix('.')}{left_out} : {_reasons(reasons.split('; '))}{stop}"
    return None


def _reasons(parts: Sequence[str]) -> str:
    """Each reason is put together from as few parts as have French; what has none stays."""
    for count in range(1, len(parts) + 1):
        line = "; ".join(parts[:count])
        if french := _translated(line, SKIPPED) or _left_out(line) or _in_two(line):
            break
    else:
        count, french = 1, parts[0]
    return f"{french} ; {_reasons(parts[count:])}" if parts[count:] else french


def _left_out(text: str) -> str | None:
    """A title, perhaps with pages, and why something of it was left out: only the reason is translated."""
    for colon in re.finditer(": ", text):
        reason = text[colon.end() :]
        if french := _translated(reason.removesuffix("."), SKIPPED):
            return f"{text[: colon.start()]} : {french}{'.' * reason.endswith('.')}"
    return None


def _in_two(text: str) -> str | None:
    """A message and its remedy, where each has French by itself: a message may hold sentences that others wrote."""
    for stop in re.finditer(r"\. ", text):
        message, remedy = _translated(text[: stop.start() + 1]), _translated(text[stop.end() :])
        if message and remedy:
            return f"{message} {remedy}"
    return None


def _by_sentence(text: str) -> str:
    """Messages and remedies come from different hands: try to translate one by one."""
    head, _, rest = text.partition(". ")
    first = _translated(f"{head}.") if rest else None
    return f"{first} {in_language(rest, 'fr')}" if first else text
