"""What is said of costs and caps, in French; `app_errors.py` looks it up."""

from __future__ import annotations

COSTS: tuple[tuple[str, str], ...] = (
    (
        r"(\d+) of (\d+) pictures were looked at; that many go with one message\.",
        r"\1 images sur \2 ont été regardées ; un message n'en porte pas plus.",
    ),
    (
        r"Nobody knows here what (\S+) costs, and spending has a cap: nothing was sent\.",
        r"On ignore ici ce que coûte \1, et les dépenses sont plafonnées : rien n'a été envoyé.",
    ),
    (
        r"Write its price into prices\.toml in ASSISTANT_HOME, or choose a model of this machine\.",
        "Inscrivez son prix dans prices.toml, dans ASSISTANT_HOME, ou choisissez un modèle de cette machine.",
    ),
    (
        r"(\S+) is priced in (\w+) and the cap on spending is in (\w+): nothing was sent\.",
        r"Le prix de \1 est en \2 et le plafond des dépenses en \3 : rien n'a été envoyé.",
    ),
    (
        r"Write its price in (\w+) into prices\.toml in ASSISTANT_HOME\.",
        r"Inscrivez son prix en \1 dans prices.toml, dans ASSISTANT_HOME.",
    ),
    (
        r"(\S+) may cost up to (\S+) (\w+), and (\S+) of everybody's (\S+) a day are spent: nothing was sent\.",
        r"\1 peut coûter jusqu'à \2 \3, et \4 des \5 de tout le monde par jour sont dépensés : rien n'a été envoyé.",
    ),
    (
        r"(\S+) may cost up to (\S+) (\w+), and (\S+) of your (\S+) a day are spent: nothing was sent\.",
        r"\1 peut coûter jusqu'à \2 \3, et \4 de vos \5 par jour sont dépensés : rien n'a été envoyé.",
    ),
    (
        r"Wait until tomorrow, choose a model of this machine, or raise spending\.(\w+)\.",
        r"Attendez demain, choisissez un modèle de cette machine, ou relevez spending.\1.",
    ),
    (
        r"What is spent cannot be kept: (.+)\. Nothing was sent\.",
        r"Les dépenses ne peuvent pas être notées : \1. Rien n'a été envoyé.",
    ),
    (
        r"Free some space, or make the folder writable\.",
        "Libérez de la place, ou rendez le dossier accessible en écriture.",
    ),
)
