"""What the documents tool itself says, in five languages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    not_found: str
    searched: str
    empty: str
    was_read: str
    unmatched: str
    left_out: str
    cut: str
    being_read: str
    which: str
    documents: str
    page: str
    pages: str
    mentioned: str
    not_mentioned: str
    times: str
    not_in_it: str
    in_short: str
    no_summary: str
    differ: str
    says: str


WORDS = {
    "en": Words(
        "This was not found in your documents.",
        "Searched: {names}.",
        "There are no documents yet. Drop a file into the chat, or run `assistant ingest FILE`.",
        "{name} was read. Ask about it.",
        "This answer could not be matched to a passage; check it.",
        "Not everything that fits the question could be read at once: {read} of {all} passages were.",
        "Of a long passage of {name} only the beginning could be read at once.",
        "{names}: still being read. What comes later in it is not known yet.",
        "Which document? There are: {names}.",
        "Documents: {count}.",
        "page {n}",
        "pages {n}",
        "“{phrase}” stands in {count} of {all} documents:",
        "None of your {all} documents mentions “{phrase}”.",
        "{n} ×",
        "not found in it",
        "In short",
        "No sentence could be matched to {name}; it may have no running text.",
        "The documents differ:",
        "{title} says “{quote}”",
    ),
    "fr": Words(
        "Cela est introuvable dans vos documents.",
        "Documents consultés : {names}.",
        "Il n'y a pas encore de documents. Déposez un fichier dans la conversation, ou lancez `assistant ingest FICHIER`.",
        "{name} a été lu. Posez votre question.",
        "Cette réponse n'a pas pu être rapprochée d'un passage ; vérifiez-la.",
        "Tout ce qui répond à la question n'a pas pu être lu d'un coup : {read} passages sur {all} l'ont été.",
        "D'un long passage de {name}, seul le début a pu être lu d'un coup.",
        "{names} : lecture en cours. La suite n'est pas encore connue.",
        "Quel document ? Il y a : {names}.",
        "Documents : {count}.",
        "page {n}",
        "pages {n}",
        "« {phrase} » figure dans {count} documents sur {all} :",
        "Aucun de vos {all} documents ne mentionne « {phrase} ».",
        "{n} ×",
        "introuvable dans ce document",
        "En bref",
        "Aucune phrase n'a pu être rapprochée de {name} ; ce document n'a peut-être pas de texte suivi.",
        "Les documents se contredisent :",
        "{title} dit « {quote} »",
    ),
    "de": Words(
        "Das steht nicht in Ihren Dokumenten.",
        "Durchsucht: {names}.",
        "Es gibt noch keine Dokumente. Ziehen Sie eine Datei in den Chat, oder: `assistant ingest DATEI`.",
        "{name} wurde gelesen. Fragen Sie danach.",
        "Diese Antwort ließ sich keiner Textstelle zuordnen; prüfen Sie sie.",
        "Nicht alles, was zur Frage passt, konnte auf einmal gelesen werden: {read} von {all} Abschnitten.",
        "Von einem langen Abschnitt von {name} konnte auf einmal nur der Anfang gelesen werden.",
        "{names}: wird noch gelesen. Was weiter hinten steht, ist noch nicht bekannt.",
        "Welches Dokument? Es gibt: {names}.",
        "Dokumente: {count}.",
        "Seite {n}",
        "Seiten {n}",
        "„{phrase}“ steht in {count} von {all} Dokumenten:",
        "Keines Ihrer {all} Dokumente erwähnt „{phrase}“.",
        "{n} ×",
        "darin nicht gefunden",
        "Kurz gesagt",
        "Kein Satz ließ sich {name} zuordnen; vielleicht hat es keinen Fließtext.",
        "Die Dokumente widersprechen sich:",
        "{title} sagt „{quote}“",
    ),
    "es": Words(
        "Esto no se encuentra en sus documentos.",
        "Documentos consultados: {names}.",
        "Todavía no hay documentos. Suelte un archivo en el chat, o ejecute `assistant ingest ARCHIVO`.",
        "Se ha leído {name}. Haga su pregunta.",
        "Esta respuesta no se pudo relacionar con ningún pasaje; compruébela.",
        "No se pudo leer de una vez todo lo que responde a la pregunta: {read} de {all} pasajes.",
        "De un pasaje largo de {name} solo se pudo leer de una vez el principio.",
        "{names}: lectura en curso. Lo que sigue aún no se conoce.",
        "¿Qué documento? Hay: {names}.",
        "Documentos: {count}.",
        "página {n}",
        "páginas {n}",
        "«{phrase}» aparece en {count} de {all} documentos:",
        "Ninguno de sus {all} documentos menciona «{phrase}».",
        "{n} ×",
        "no se encuentra en él",
        "En resumen",
        "Ninguna frase se pudo relacionar con {name}; quizá no tenga texto corrido.",
        "Los documentos se contradicen:",
        "{title} dice «{quote}»",
    ),
    "it": Words(
        "Questo non si trova nei suoi documenti.",
        "Documenti consultati: {names}.",
        "Non ci sono ancora documenti. Trascini un file nella chat, o esegua `assistant ingest FILE`.",
        "{name} è stato letto. Faccia la sua domanda.",
        "Questa risposta non corrisponde ad alcun passaggio; la verifichi.",
        "Non tutto ciò che risponde alla domanda si è potuto leggere in una volta: {read} passaggi su {all}.",
        "Di un passaggio lungo di {name} si è potuto leggere in una volta solo l'inizio.",
        "{names}: lettura in corso. Il seguito non è ancora noto.",
        "Quale documento? Ci sono: {names}.",
        "Documenti: {count}.",
        "pagina {n}",
        "pagine {n}",
        "«{phrase}» si trova in {count} documenti su {all}:",
        "Nessuno dei suoi {all} documenti menziona «{phrase}».",
        "{n} ×",
        "non trovato in esso",
        "In breve",
        "Nessuna frase corrisponde a {name}; forse non ha un testo continuo.",
        "I documenti si contraddicono:",
        "{title} dice «{quote}»",
    ),
}
