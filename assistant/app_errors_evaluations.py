"""What evaluating says to a person, in French; `app_errors.py` looks it up."""

from __future__ import annotations

KINDS = {
    "true or false": "vrai ou faux",
    "a number": "un nombre",
    "text": "un texte",
    "a list": "une liste",
    "an object": "un objet",
    "nothing": "rien",
}
EVALUATIONS: tuple[tuple[str, str], ...] = (
    (r"it has no question", "il n'y a pas de question"),
    (r"it has no reference, the right answer", "il n'y a pas de référence, la bonne réponse"),
    (
        r"it has a mark, but not the answer that was marked",
        "il y a une note (mark), mais pas la réponse notée (answer)",
    ),
    (
        r"it is not JSON at character (\d+): (.+)",
        r"ce n'est pas du JSON, au caractère \1 (\2)",
    ),
    (r"it is not JSON: (.+)", r"ce n'est pas du JSON (\1)"),
    *(
        (
            rf"it is {english}, not an object with a question and a reference",
            f"c'est {french}, pas un objet avec question et reference",
        )
        for english, french in KINDS.items()
    ),
    *(
        (rf"(id|question|reference|answer) is {english}, not text", rf"\1 est {french}, pas un texte")
        for english, french in KINDS.items()
    ),
    *(
        (
            rf"context is {english}, not a text or a list of texts",
            f"context est {french}, pas un texte ou une liste de textes",
        )
        for english, french in KINDS.items()
    ),
    *(
        (rf"tags are {english}, not a list of texts", f"tags est {french}, pas une liste de textes")
        for english, french in KINDS.items()
    ),
    *(
        (rf"audio is {english}, not the name of a file", f"audio est {french}, pas le nom d'un fichier")
        for english, french in KINDS.items()
    ),
    (r"(\w+) has (\d+) characters; at most (\d+) are taken", r"\1 a \2 caractères ; \3 au plus sont pris"),
    (r"there is no recording (.+) beside the data set", r"l'enregistrement \1 manque ; apportez le fichier"),
    (
        r"the recording (.+) lies in another folder; it takes the name of a file alone",
        r"l'enregistrement \1 est dans un autre dossier ; il faut le nom d'un fichier seul",
    ),
    (r"schema is no JSON schema: (.+)", r"schema n'est pas un schéma JSON : \1"),
    (
        r"mark is (.+); it takes a number from 0 to 1, or up or down",
        r"mark est \1 ; il faut un nombre de 0 à 1, ou up ou down",
    ),
    (
        r"it has (\d+) more cells than the first line names\. Put quotes around cells with commas",
        r"il y a \1 cellules de plus que n'en nomme la première ligne. Mettez entre guillemets les cellules qui ont des virgules",
    ),
    (
        r"it has the id '(.+)' of line (\d+)\. Give each row its own",
        r"l'identifiant « \1 » est déjà celui de la ligne \2. Donnez-en un à chaque ligne",
    ),
    (r"(.+): it is empty\. A row is (.+), a line each\.", r"\1 : le fichier est vide. Une ligne s'écrit \2."),
    (r"(.+): line (\d+) is not UTF-8\. .*", r"\1 : la ligne \2 n'est pas en UTF-8. Enregistrez le fichier en UTF-8."),
    (
        r"(.+): it holds (\d+) rows\. At most (\d+) are compared at once\.",
        r"\1 : il y a \2 lignes. On en compare \3 au plus à la fois.",
    ),
    (
        r"(.+): too few rows are left to score\. .*",
        r"\1 : il reste trop peu de lignes à noter. Ajoutez-en, ou laissez les exemples de côté.",
    ),
    (
        r"(.+): line (\d+): an example gives its answer away \(.+\)\. Take one of the two out\.",
        r"\1 : un exemple donne la réponse de la ligne \2. Retirez l'un des deux.",
    ),
    (
        r"The examples of (.+) give away line (\d+) of the data set \(.+\)\. Take one of the two out\.",
        r"Les exemples de \1 donnent la réponse de la ligne \2 du jeu. Retirez l'un des deux.",
    ),
    (r"There is no such data set\. Load the page again\.", "Ce jeu de données n'existe pas. Rechargez la page."),
    (r"There is no such row\. Load the page again\.", "Cette ligne n'existe pas. Rechargez la page."),
    (r"There is no such run\. Load the page again\.", "Cette évaluation n'existe pas. Rechargez la page."),
    (
        r"No row of this data set is accepted yet\. Review them first\.",
        "Aucune ligne de ce jeu n'est encore acceptée. Relisez-les d'abord.",
    ),
    (
        r"No row names the recording (.+)\. Its name must be that in the column audio\.",
        r"Aucune ligne ne nomme l'enregistrement \1. Son nom doit être celui de la colonne audio.",
    ),
    (
        r"This run goes on already or is done\. Load the page again\.",
        "Cette évaluation est déjà en cours ou terminée. Rechargez la page.",
    ),
    (r"This run is under way\. Cancel it first\.", "Cette évaluation est en cours. Annulez-la d'abord."),
    (
        r"(\d+) of your runs are waiting already\. .*",
        r"\1 de vos évaluations attendent déjà. Annulez-en une, ou attendez que l'une soit terminée.",
    ),
    (
        r"There is no document to ask about\. .*",
        "Il n'y a pas de document sur lequel poser des questions. Ajoutez-en d'abord sur la page des documents.",
    ),
    (
        r"No question could be made: of (\d+) none had an answer that stands in its passage\. .*",
        r"Aucune question n'a pu être faite : sur \1, aucune n'avait une réponse qui se trouve dans son passage. Choisissez un plus grand modèle, ou d'autres documents.",
    ),
    (
        r"Line (\d+) is a recording without a question, others have one\. .*",
        r"La ligne \1 est un enregistrement sans question, d'autres en ont une. Mettez les enregistrements à transcrire dans un jeu à eux.",
    ),
    (
        r"Recordings without a question are transcribed; .*",
        "Les enregistrements sans question sont transcrits ; seule la façon « zero-shot » va avec cela.",
    ),
    (r"The lever context needs rows with a context\.", "La façon « contexte » demande des lignes qui en ont un."),
    (
        r"The price of (.+) is unknown, so no spend cap can hold\. .*",
        r"Le prix de \1 est inconnu : aucun plafond ne peut tenir. Mettez son prix dans prices.toml dans ASSISTANT_HOME, retirez ce modèle, ou enlevez le plafond.",
    ),
    (
        r"The prices are in (.+), which cannot be added, .*",
        r"Les prix sont en \1 et ne s'additionnent pas : aucun plafond ne peut tenir. Mettez-les dans une seule monnaie dans prices.toml dans ASSISTANT_HOME, ou enlevez le plafond.",
    ),
    (
        r"The two reports share no row\. .*",
        "Les deux rapports n'ont aucune ligne commune. Comparez des rapports du même jeu de données.",
    ),
    (
        r"The later report has no score (\S+)\. .*",
        r"Le second rapport n'a pas de note \1. Évaluez de nouveau avec --by \1.",
    ),
    (
        r"No conversation has been kept yet\. Use the page, and mark answers there\.",
        "Aucune conversation n'a encore été gardée. Marquez d'abord des réponses dans la page.",
    ),
)
