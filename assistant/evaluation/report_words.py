"""The report in French: its own words, and the sentences that are made for it."""

from __future__ import annotations

import re

WORDS = {
    "evaluation": "évaluation",
    "Question:": "Question :",
    "Reference:": "Référence :",
    "failed": "échecs",
    "The answer reached its length limit.": "La réponse a atteint sa longueur maximale.",
    "Passages shown:": "Passages montrés :",
    "rows scored": "lignes notées",
    "rows kept for examples": "lignes gardées pour les exemples",
    "setups": "configurations",
    "setup": "configuration",
    "compared by": "comparées selon",
    "less is better": "moins, c'est mieux",
    "because": "car",
    "it was chosen": "c'est ce qui a été choisi",
    "a judge was asked": "un juge a été demandé",
    "the rows are recordings": "les lignes sont des enregistrements",
    "the rows carry schemas and no references": "les lignes ont des schémas et pas de références",
    "the references are a few labels": "les références sont quelques étiquettes",
    "most references are short": "la plupart des références sont courtes",
    "most references are sentences": "la plupart des références sont des phrases",
    "exact": "exact",
    "contains": "contient",
    "token_f1": "F1 des mots",
    "similarity": "proximité du sens",
    "word_error": "erreur de mots",
    "schema": "schéma JSON",
    "citations": "citations justes",
    "groundedness": "appui sur les passages",
    "judge": "juge",
    "All of them": "Toutes",
    "behind the best": "derrière la meilleure",
    "seconds": "secondes",
    "first token": "premier mot",
    "tokens in / out": "jetons lus / écrits",
    "cost an answer": "coût par réponse",
    "unknown": "inconnu",
    "to": "à",
    "measurably worse": "moins bonne, c'est mesurable",
    "too few rows to tell": "trop peu de lignes pour le dire",
    "not measurably worse": "pas moins bonne de façon mesurable",
    "best": "la meilleure",
    "Means with 95 % bootstrap intervals. “Behind the best” is the mean difference row by row, with an interval widened for the number of "
    "comparisons (Bonferroni): where it lies above 0, a setup is measurably worse. An answer that never came scores worst. Times are medians; "
    "cost follows the known prices, “unknown” where there is none, 0 where the model runs here.": "Moyennes avec intervalles de bootstrap à 95 %. "
    "« Derrière la meilleure » est la différence moyenne ligne par ligne, avec un intervalle élargi selon le nombre de comparaisons (Bonferroni) : "
    "là où il est au-dessus de 0, une configuration est moins bonne, c'est mesurable. Une réponse jamais venue a la pire note. Les temps sont des "
    "médianes ; le coût suit les prix connus, « inconnu » là où il n'y en a pas, 0 là où le modèle tourne ici.",
    "Quality, time and cost": "Qualité, temps et coût",
    "seconds an answer (median, logarithmic)": "secondes par réponse (médiane, logarithmique)",
    "Numbers as in the table. Blue: on the Pareto front, where no other setup is as good, as quick and as cheap. Larger rings cost more; the cost of "
    "a dashed ring is unknown.": "Numéros comme dans le tableau. En bleu : sur le front de Pareto, où aucune autre n'est aussi bonne, aussi rapide et "
    "aussi peu chère. Un anneau plus grand coûte plus ; le coût d'un anneau en tirets est inconnu.",
    "By tag": "Par étiquette",
    "tag": "étiquette",
    "rows": "lignes",
    "The judge": "Le juge",
    "answers judged:": "réponses jugées :",
    "Verdicts that were nonsense and count for nothing:": "Verdicts dépourvus de sens, qui ne comptent pas :",
    "Times it failed:": "Échecs du juge :",
    "Agreement with the marks of people:": "Accord avec les notes des personnes :",
    "marked answers:": "réponses notées :",
    "No answer of the data carries the mark of a person, so how far it agrees with people is unknown.": "Aucune réponse des données n'a été notée par "
    "une personne : on ignore si le juge est d'accord avec les gens.",
    "Its prompt": "Sa consigne",
    "What it said instead of a verdict": "Ce qu'il a dit au lieu d'un verdict",
    "Where they disagree": "Là où elles ne sont pas d'accord",
    "Examples to read": "Exemples à lire",
    "Calls made:": "Appels faits :",
    "known from before:": "déjà connus :",
    "seconds in all:": "secondes en tout :",
    "seconds of the models (more where several were asked at once):": "secondes des modèles (plus si plusieurs travaillaient à la fois) :",
    "spend cap:": "plafond de dépense :",
    "spent:": "dépensé :",
    "calls of unknown price:": "appels au prix inconnu :",
    "data:": "données :",
    "seed:": "graine :",
}
SENTENCES = (
    (
        r"No candidate can be recommended: none of them answered\.",
        "Aucun candidat ne peut être recommandé : aucun n'a répondu.",
    ),
    (r"(.+) is the only one that answered\.", r"\1 est la seule qui ait répondu."),
    (r"Too few rows to tell any difference; (.+)", r"Trop peu de lignes pour voir une différence ; \1"),
    (
        r"There is no difference that this data can show between the (\d+); (.+)",
        r"Entre les \1, il n'y a aucune différence que ces données puissent montrer ; \2",
    ),
    (
        r"Take (.+): all others are measurably worse\.",
        r"Prenez \1 : toutes les autres sont moins bonnes, c'est mesurable.",
    ),
    (
        r"(\d+) of (\d+) are not measurably worse than the best; (.+)",
        r"\1 sur \2 ne sont pas moins bonnes que la meilleure de façon mesurable ; \3",
    ),
    (r"take (.+), the cheapest of them \((.+) an answer\)\.", r"prenez \1, la moins chère (\2 par réponse)."),
    (
        r"take (.+), the quickest of them(?: \((\S+) s an answer\))?; all of them cost the same\.",
        r"prenez \1, la plus rapide (\2 s par réponse) ; toutes coûtent autant.",
    ),
    (
        r"take (.+), the quickest of them(?: \((\S+) s an answer\))?\. The price of (.+) is unknown, so cost decides nothing here\.",
        r"prenez \1, la plus rapide (\2 s par réponse). Le prix de \3 est inconnu, le coût ne décide donc rien ici.",
    ),
    (
        r"take (.+), the quickest of them(?: \((\S+) s an answer\))?\. Prices are in (.+) and (\S+), so cost decides nothing here\.",
        r"prenez \1, la plus rapide (\2 s par réponse). Les prix sont en \3 et \4, le coût ne décide donc rien ici.",
    ),
    (r"Columns that were not read: (.+)\.", r"Colonnes qui n'ont pas été lues : \1."),
    (r"Nobody has looked at (\d+) of the rows yet\.", r"Personne n'a encore relu \1 des lignes."),
    (
        r"Examples come from (\d+) rows that are not scored\.",
        r"Les exemples viennent de \1 lignes qui ne sont pas notées.",
    ),
    (
        r"(.+) failed every time \((.+)\); an answer that never came scores 0\.",
        r"\1 a échoué chaque fois (\2) ; une réponse jamais venue vaut 0.",
    ),
    (
        r"(.+) failed (\d+) of (\d+) times \((.+)\); an answer that never came scores 0\.",
        r"\1 a échoué \2 fois sur \3 (\4) ; une réponse jamais venue vaut 0.",
    ),
    (
        r"The spend cap of (.+) stopped calls before it would have been passed; (.+) was spent\. .*",
        r"Le plafond de dépense de \1 a arrêté les appels avant d'être dépassé ; \2 ont été dépensés. Ce qui n'a pas été demandé compte comme un "
        r"échec. Évaluez de nouveau avec un plafond plus haut pour continuer de là.",
    ),
)


def in_language(language: str, text: str) -> str:
    """A word or sentence of the report; one that has no French stays as it is, as do names."""
    return (WORDS.get(text) or _sentence(text)) if language == "fr" else text


def _sentence(text: str) -> str:
    for pattern, french in SENTENCES:
        if match := re.fullmatch(pattern, text, re.DOTALL):
            parts = [_sentence(part or "?") for part in match.groups()]
            return re.sub(r"\\(\d)", lambda number, parts=parts: parts[int(number[1]) - 1], french)  # type: ignore[misc]
    return text
