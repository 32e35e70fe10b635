"""What a request about a recording wants, told by its words: only the transcript, English, an overview, a time, or an answer."""

from __future__ import annotations

import re

# Words that a request for nothing but the transcript is made of. Whatever else is asked goes to the text engine.
ONLY_TRANSCRIBE = {
    "en": "transcribe transcript transcription write down type out up turn convert speech audio recording voice video file "
    "message memo note call clip into to in text words what does do did is was being are they she he say says said saying "
    "spoken there here heard hear listen this that the a an of my it attached for me can could would you please just now "
    "give make get have i want need full whole complete verbatim subtitles subtitle captions srt vtt with timestamps "
    "speakers these those them all both each recordings voices videos files messages memos notes calls clips",
    "fr": "transcris transcrire transcrivez transcription transcrit écris écrire écrivez note mets mettre convertis "
    "convertir parole audio enregistrement voix vidéo fichier message vocal mémo appel extrait en texte mots que qu quoi "
    "est ce cet cette c dit disent elle il on ils y a t entend écoute écouter écoutez ceci cela ça le la les l un une du "
    "de des mon ma joint pour moi peux pouvez pourrais tu vous s te plaît plait svp merci fais faire donne je j veux "
    "voudrais aimerais complet complète entier sous titres à par écrit qui dans ces tous toutes les deux enregistrements vidéos fichiers messages "
    "mémos notes appels extraits intervenants avec",
    "de": "transkribiere transkribieren transkript transkription schreib schreibe auf ab aufnahme datei sprachnachricht "
    "was wird gesagt sagt er sie in text die das den diese dieses dieser der eine ein bitte mir mal kannst du können um alle beide "
    "aufnahmen dateien sprachnachrichten",
    "es": "transcribe transcribir transcribeme transcripción grabación archivo qué dice dicen en texto este esta esto el la "
    "un una por favor puedes puede me lo a de nota voz mensaje estas estos todas "
    "todos las los grabaciones archivos notas mensajes",
    "it": "trascrivi trascrivere trascrivimi trascrizione registrazione file cosa dice dicono in testo questo questa il la "
    "un una per favore puoi può mi lo di nota vocale messaggio queste questi tutte "
    "tutti le i registrazioni note messaggi",
}
TRANSLATE = (
    "translate translated translation and then it to into in english traduis traduire traduisez et en anglais "
    "übersetze übersetzen und auf ins englisch englische traduce traducir al inglés y traduci tradurre inglese e"
)
TRANSLATE_VERBS = ("translat", "tradui", "übersetz", "traduc", "traduz", "tradurre")
_PLAIN = {word for words in ONLY_TRANSCRIBE.values() for word in words.split()}
_TRANSLATE = set(TRANSLATE.split())

_WHOLE = re.compile(
    r"\b(summar|overview|key points|main points|minutes of|action (items|points)|to-?dos?\b|tasks?\b|decisions?\b|recap"
    r"|résum|resum|synthès|points clés|compte[- ]rendu|tâches|décisions|zusammenfass|aufgaben|riassu|compiti)"
    r"|\bwho\b.{0,20}\b(will|would|shall|does|do|promised?)\b|\bqui\b.{0,20}\b(fait|fera|ferait|doit|promet)\b",
    re.IGNORECASE,
)
_WHO_SPOKE = re.compile(
    r"\bwho('s| is| was)? (spoke|speaks|speaking|talked|talks|talking)\b|\bwho said what\b|\b(with|the|different|all) speakers\b"
    r"|\bqui (parle|parlait|a parlé|a dit quoi)\b|\b(les|avec les|aux) intervenants\b|\bwer (spricht|sprach|redet)\b",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"\b((at|in) (what|which) (minute|point|moment)|(what|which) (minute|moment)|time ?stamps?)\b"
    r"|\bwhen (do|does|did|is|are|was|were) .*\b(talk|speak|discuss|mention|say|said|bring|come)"
    r"|\b(à|a) (quelle (minute|seconde)|quel moment)\b|\bquand\b.*\b(parle|discute|mentionne|dit|évoque)"
    r"|\bin welcher minute\b|\bwann (sprechen|reden|spricht|redet|erwähn)|\ben qué (minuto|momento)\b|\ba che minuto\b",
    re.IGNORECASE,
)

NO_TOPIC = (
    "minute minutes time times point moment moments timestamp timestamps recording audio meeting call talk talks talking "
    "speak speaks discuss discusses discussed mention mentions mentioned say says said bring come first about "
    "enregistrement réunion parle parlent parler discute discutent mentionne mentionnent dit disent évoque évoquent "
    "sprechen reden spricht redet erwähnt erwähnen aufnahme minuto minutos momento hablan habla parlano parla"
)
"""What is left of a question about a time when its topic is taken out."""
_NO_TOPIC = set(NO_TOPIC.split())


def topic_of(question: str) -> str:
    """What is looked for: the question without the words that only ask for a place."""
    words = [word for word in re.findall(r"[\w'’-]+", question) if word.lower() not in _NO_TOPIC]
    return " ".join(words) or question


def asks_more(request: str) -> bool:
    """Whether the request wants more than the transcript: a summary, an answer, another language."""
    return not set(_words(request)) <= _PLAIN


def asks_english(request: str) -> bool:
    """Whether the request is to have the speech in English, which the recogniser does by itself."""
    words = set(_words(request))
    return asks_translation(request) and words <= _PLAIN | _TRANSLATE and _names_english(words)


def asks_translation(request: str) -> bool:
    return any(word.startswith(TRANSLATE_VERBS) for word in _words(request))


def asks_whole(request: str) -> bool:
    """Whether every part of the recording counts, as for a summary or a list of promises."""
    return bool(_WHOLE.search(request)) or asks_translation(request)


def asks_who_spoke(request: str) -> bool:
    """Whether the speakers are to be told apart."""
    return bool(_WHO_SPOKE.search(request))


def asks_when(request: str) -> bool:
    """Whether it asks where in the recording something is said."""
    return bool(_WHEN.search(request))


def _names_english(words: set[str]) -> bool:
    return bool(words & {"english", "anglais", "englisch", "englische", "inglés", "inglese"})


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text.lower())
