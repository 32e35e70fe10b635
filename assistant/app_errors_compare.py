"""What comparing side by side says to a person, in French; `app_errors.py` looks it up. Messages and remedies stand one by one."""

from __future__ import annotations

COMPARE: tuple[tuple[str, str], ...] = (
    (r"It took longer than ([\d.]+) s\.", r"Il a fallu plus de \1 s."),
    (
        r"Allow it more time, or choose a quicker one\.",
        "Laissez-lui plus de temps, ou choisissez-en un plus rapide.",
    ),
    (r"(\d+) candidates are given\. Compare two to four\.", r"\1 candidats sont donnés. Comparez-en deux à quatre."),
    (
        r"The time limit is (\S+) s\. It takes 1 to (\S+)\.",
        r"La limite de temps est de \1 s. Elle va de 1 à \2.",
    ),
    (
        r"The candidate (.+) is given twice\. Take one of them out\.",
        r"Le candidat \1 est donné deux fois. Retirez-en un.",
    ),
    (
        r"The candidate (.+) has (\S+), which goes with questions only\.",
        r"Le candidat \1 a \2, qui ne va qu'avec des questions.",
    ),
    (r"There is no comparison (\S+)\. .*", r"Il n'y a pas de comparaison \1."),
    (
        r"'(.*)' is no vote here\. Use one of: (.+)\.",
        r"« \1 » n'est pas un vote ici. Utilisez l'un de : \2.",
    ),
    (
        r"(\S+) gave no answer\. Vote for one that did, or for none\.",
        r"\1 n'a pas répondu. Votez pour un candidat qui a répondu, ou pour aucun (none).",
    ),
    (
        r"Fewer than two gave an answer\. Vote for none, or compare again\.",
        "Moins de deux ont répondu. Votez pour aucun (none), ou comparez de nouveau.",
    ),
    (r"There is no collection (.+)\.", r"Il n'y a pas de collection \1."),
    (r"Choose one of: (.+)\.", r"Choisissez parmi : \1."),
)
