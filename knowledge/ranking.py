"""What words of a question count, and how two rankings are made into one."""

from __future__ import annotations

import re
import unicodedata

DENSE_WEIGHT = 0.7
SAME_WORDS = 0.92
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
"""Letters of Thai, Lao, Burmese, Khmer, Japanese and Chinese, as a character class."""

_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+")
_RUN = re.compile(f"[{UNSPACED}]+")

# By language, without accents.
_STOP = {
    "en": """
    a about above after all also am an and any are as at be been before being below between both but by can could did do does
    doing down during each few for from further had has have having he her here hers him his how i if in into is it its just
    me more most my no nor not of off on once only or other our out over own please same she should so some such than that the
    their them then there these they this those through to too under until up very was we were what when where which while who
    whom why will with would you your yours tell
    """,
    "fr": """
    au aux avec ce ces cet cette comme comment dans de des du elle elles en est et etaient etait etre eu il ils je la le les
    leur leurs lui ma mais me mes moi mon ne nos notre nous on ont ou par pas peut plus pour pourquoi qu quand que quel quelle
    quelles quels qui quoi sa sans se ses si son sont sur ta te tes toi ton tu un une vos votre vous y a ai as d j l m n s t c
    """,
    "de": """
    aber als am an auch auf aus bei bin bis bist da dann das dass dem den der des die dies diese dieser du ein eine einem einen
    einer er es fur hat habe ich ihr im in ist ja kann man mit nach nicht noch nur oder sein sich sie sind so um und uns vom von
    vor wann warum was wenn wer wie wird wir wo zu zum zur
    """,
    "es": """
    al como con cual cuando de del donde el ella en entre es esta este ha hay la las lo los mas me mi muy no o para pero por
    porque que quien se ser si sin sobre son su sus tambien te un una unos y ya
    """,
    "it": """
    che chi ci come con cosa da dal dalla dei del della delle di dove e ed gli ha i il in io la le lo ma mi nel nella non per
    perche piu quale quali quando quanto questa questo si sono su sua suo tra tu un una uno
    """,
}
STOP_WORDS = frozenset(word for words in _STOP.values() for word in words.split())


def plain_words(text: str) -> list[str]:
    """The words of `text` in lower case and without accents."""
    return _WORD.findall(_bare(text))


def content_words(text: str) -> list[str]:
    """The words that carry meaning, each once, in order; all words where there are only stop words."""
    words = list(dict.fromkeys(plain_words(text)))
    return [w for w in words if w not in STOP_WORDS] or words


def language_of(text: str) -> str:
    """One of en, fr, de, es, it, by the commonest little words; en where nothing tells."""
    words = plain_words(text)
    counts = {language: sum(word in stop.split() for word in words) for language, stop in _STOP.items()}
    return max(counts, key=counts.__getitem__)


def search_words(text: str) -> list[str]:
    """The content words as they are written, in lower case: the lexical index folds accents in its own way."""
    words = list(dict.fromkeys(_WORD.findall(unicodedata.normalize("NFC", text.lower()))))
    return [word for word in words if _bare(word) not in STOP_WORDS] or words


def unspaced_runs(text: str) -> list[str]:
    """The stretches of scripts that put no spaces between words."""
    return list(dict.fromkeys(_RUN.findall(unicodedata.normalize("NFC", text))))


def fuse(similarity: float, wording: float, dense_weight: float = DENSE_WEIGHT) -> float:
    """One score from 0 to 1 of a cosine and a share of the best BM25 score: their convex combination (Bruch et al. 2023,
    arXiv:2210.11934). What no word matches gets no share of the words' part."""
    return dense_weight * max(0.0, similarity) + (1 - dense_weight) * wording


def near_duplicates(one: str, other: str) -> bool:
    """Whether two passages say the same in the same words and with the same numbers."""
    if sorted(_NUMBER.findall(one)) != sorted(_NUMBER.findall(other)):
        return False
    a, b = set(plain_words(one)), set(plain_words(other))
    return bool(a and b) and len(a & b) / len(a | b) >= SAME_WORDS


def _bare(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.lower())
    # Composed again: Korean syllables come apart too.
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if not unicodedata.combining(c)))
