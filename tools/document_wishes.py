"""What a request about documents wants, told by its words: an overview, a comparison, where something stands, a list, an answer.

English and French, an overview also in German and Italian. Knows documents only by their titles.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

from knowledge.documents import Source
from knowledge.ranking import STOP_WORDS, content_words, plain_words

_DOCUMENTS = (
    r"(?:documents?|files?|sources?|papers?|pdfs?|texts?|reports?|contracts?|agreements?|manuals?|letters?|minutes)"
)
_FICHIERS = r"(?:documents?|fichiers?|sources?|textes?|pdfs?|rapports?|contrats?|lettres?|comptes?[- ]rendus?)"
_SAY = r"(?:mentions?|mentioned|contains?|includes?|names?|cites?|discuss(?:es)?|(?:talks?|speaks?) (?:about|of)|refers? to)"
_DIRE = (
    r"(?:mentionn\w+|contien\w+|cit(?:e|ent)|évoqu\w+|nomm\w+|compren\w+|utilis\w+|parl\w+ d(?:e la |es |u |e l['’]|e |['’])|"
    r"trait\w+ d(?:e la |es |u |e l['’]|e |['’])|(?:se réf[èé]r\w+|font référence) (?:à la |aux? |à l['’]|à ))"
)
_THE_WORD = (
    r"(?:the (?:words?|terms?|phrase|name|expression) |l[ea]s? (?:mots?|termes?|nom|expression) |l['’]expression )?"
)

_MENTIONS = [
    re.compile(
        rf"\b(?:which|what|how many|list (?:all )?(?:the )?|find all (?:the )?|in which) (?:of )?(?:my |the |these |those )?{_DOCUMENTS}"
        rf"(?: (?:that|which|do|does|you have))*\s+{_SAY}\s+{_THE_WORD}(?P<phrase>.+)",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?:quel(?:le)?s?|lesquels|combien de|dans quels|liste (?:tous )?les|trouve (?:tous )?les)\s+(?:de mes |de ces )?{_FICHIERS}"
        rf"(?: qui)?\s+{_DIRE}\s*{_THE_WORD}(?P<phrase>.+)",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?:in )?(?:which|what) (?:of )?(?:my |the )?{_DOCUMENTS} (?:is|are|does|do) (?P<phrase>.+?) (?:mentioned|named|discussed|cited|occur|appear|come up)\b",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\bdans (?:quel(?:le)?s?|lesquels) {_FICHIERS} (?:est-il question d(?:e la |es |u |e l['’]|e |['’])|"
        rf"(?:figure(?:nt)?|apparaît|apparaissent) )(?P<phrase>.+)",
        re.IGNORECASE,
    ),
]
_LIST = re.compile(
    rf"\b(?:how many|what|which) {_DOCUMENTS} (?:do you (?:have|know|hold)|do i have|have you (?:got|read)|have i \w+|did i \w+|"
    r"are (?:there|in|loaded|indexed|available|stored)|can you (?:see|search|read|use))"
    rf"|\b(?:list|show)(?: me)?(?: all)?(?: of)? (?:my|the|your) {_DOCUMENTS}\W*$"
    rf"|\b(?:quels|combien de) {_FICHIERS} (?:as[- ]tu|avez[- ]vous|ai[- ]je|y a[- ]t[- ]il|sont|connais|connaissez|peux[- ]tu|pouvez[- ]vous)"
    rf"|\b(?:liste|montre|énumère|affiche)[- ]?(?:moi)?(?: tous)? (?:mes|les|tes|vos) {_FICHIERS}\W*$",
    re.IGNORECASE,
)
_OVERVIEW = re.compile(
    r"\b(summar|overview|key points|main points|gist|sum up|résum|resum|synthès|synthét|points clés|points principaux|"
    r"zusammenfass|riassu)",
    re.IGNORECASE,
)
_COMPARE = re.compile(
    r"\b(compar\w*|differences?|differ|versus|vs|contrast|différences?|diffèrent|par rapport|unterschied\w*|vergleich\w*|confront\w*)\b",
    re.IGNORECASE,
)

_OVERVIEW_WORDS = frozenset(
    plain_words(
        """
        summary summarize summarise summarized summarised summarizing summarising summaries overview key main points gist sum up
        document documents file files pdf text page pages paper report book content contents whole entire full short brief long
        short briefly sentence sentences line lines bullet bullets list give write make tell need want one two three four five six
        seven eight ten attached uploaded english french few words paragraph paragraphs say says important most
        résume résumer résumez résumé synthèse synthétise synthétiser points clés principaux document documents fichier texte page
        pages rapport livre contenu entier complet court bref brièvement phrase phrases ligne lignes fais fait faire donne donner
        écris joint français anglais mots paragraphe deux trois quatre cinq six dix quelques peux pouvez importants dit peux-tu
        zusammenfassen zusammenfassung fasse dokument datei kurz riassumi riassunto documento resume resumen resumir
        """
    )
)
_COMPARE_WORDS = frozenset(
    plain_words(
        "compare comparer comparez comparison comparaison difference differences differ versus vs contrast différence différences"
    )
)
_CONNECTING = STOP_WORDS | set(
    plain_words("according selon one ones both document documents versus vs celui celle ceux celles")
)


def asks_list(request: str) -> bool:
    """Whether it asks which documents there are."""
    return bool(_LIST.search(request))


def asked_phrase(request: str) -> str:
    """What "which documents mention …?" looks for, "" where that is not asked."""
    for pattern in _MENTIONS:
        if found := pattern.search(request):
            phrase = found["phrase"].strip().strip("?!. \n")
            phrase = re.sub(r"^(?:the|an?|les?|la|un|une|des|du|l['’])\s*(?=\w)", "", phrase, flags=re.IGNORECASE)
            return phrase.strip("\"'“”„«»’ ")
    return ""


def asks_overview(request: str, titles: Sequence[str] = ()) -> bool:
    """Whether it asks for a summary of a whole document, not of what a document says about something."""
    if not _OVERVIEW.search(request):
        return False
    named = {word for title in titles for word in title_words(title)}
    return all(w in _OVERVIEW_WORDS or w in named or w.isdigit() for w in content_words(request))


def asks_comparison(request: str) -> bool:
    return bool(_COMPARE.search(request))


def title_words(title: str) -> list[str]:
    """The words of a title or file name, its ending aside: `supply-agreement.pdf` is supply, agreement."""
    stem = PurePath(title).stem if re.search(r"\.\w{1,8}$", title) else title
    return [word for word in plain_words(stem.replace("_", " ")) if word not in STOP_WORDS]


def named_documents(request: str, sources: Sequence[Source], *, loosely: bool = False) -> list[Source]:
    """The documents whose title's words all stand in the request, in the order of the request; `loosely`, a word that no other
    document has in its title is enough."""
    said = plain_words(request)
    titles = {source.title: title_words(source.title) for source in sources}
    words = [word for title in titles.values() for word in set(title)]

    def named(title: Sequence[str]) -> bool:
        hits = [word for word in title if word in said]
        whole = bool(title) and len(hits) == len(title)
        return whole or (loosely and any(words.count(word) == 1 and len(word) > 3 for word in hits))

    found = [source for source in sources if named(titles[source.title])]
    return sorted(found, key=lambda source: max(said.index(w) for w in titles[source.title] if w in said))


def without_names(request: str, named: Sequence[Source]) -> str:
    """The question alone: what is left of the request without the documents' names and the words that join them to it; "" where
    nothing is."""
    names = {word for source in named for word in title_words(source.title)}
    tokens = re.findall(r"\s*\w+['’]?|\s*[^\w\s]", request)
    plain = [set(plain_words(token)) for token in tokens]
    gone = [bool(words) and words <= names | {"pdf"} for words in plain]
    for order in (range(len(tokens)), reversed(range(len(tokens)))):
        near = False
        for i in order:
            joins = near and (not plain[i] or plain[i] <= _CONNECTING)
            near = gone[i] = gone[i] or joins
    out = [gone[i] or (bool(words) and words <= _COMPARE_WORDS) for i, words in enumerate(plain)]
    left = "".join(token for token, left_out in zip(tokens, out, strict=True) if not left_out).strip(" ,;:.-")
    return left if any(word not in _CONNECTING for word in plain_words(left)) else ""
