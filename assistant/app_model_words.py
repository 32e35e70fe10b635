"""What cards say in sentences, in French; the catalogue itself speaks English and knows no page."""

from __future__ import annotations

from collections.abc import Mapping

NEVER_RUN = "Jamais lancé ici avec ses vrais poids, seulement un pipeline de sa classe avec des poids au hasard."
CARD_WORDS: Mapping[str, str] = {
    "small: often wrong on facts and figures, best in English and Chinese; about 10 tokens a second on 2 cores": "petit : se trompe souvent sur les faits et les chiffres, meilleur en anglais et en chinois ; environ 10 jetons par seconde sur 2 cœurs",
    "for smoke tests: fast, and mostly wrong": "pour essayer que tout marche : rapide, et faux le plus souvent",
    "Good in English and fair in Spanish, Italian, Portuguese, German and French; weak outside major languages.": "Bon en anglais, correct en espagnol, italien, portugais, allemand et français ; faible hors des grandes langues.",
    "English only.": "Anglais seulement.",
    "Starter model: icons and simple drawings of single things, 512 pixels; reads 16 tokens. No photographs: for those set "
    "diffusers:stabilityai/sd-turbo or another pipeline.": "Modèle de départ : icônes et dessins simples d'une seule chose, 512 pixels ; lit 16 jetons. Pas de photos : pour "
    "elles, réglez diffusers:stabilityai/sd-turbo ou un autre pipeline.",
    "English only; reads the first 256 tokens of a text.": "Anglais seulement ; lit les 256 premiers jetons d'un texte.",
    "English only; comes with the extra `voice`.": "Anglais seulement ; vient avec l'extra `voice`.",
    "Slow on small CPUs; weak outside major languages.": "Lent sur un petit processeur ; faible hors des grandes langues.",
    "Wants a GPU.": "Demande un GPU.",
    "Wants a GPU; does not translate.": "Demande un GPU ; ne traduit pas.",
    "512 pixels; slow on a small CPU.": "512 pixels ; lent sur un petit processeur.",
    "512 pixels; wants a GPU.": "512 pixels ; demande un GPU.",
    "512 pixels; slow on a CPU.": "512 pixels ; lent sur un processeur.",
    "1024 pixels; wants a GPU.": "1024 pixels ; demande un GPU.",
    "1024 pixels; gated on the hub; wants a GPU.": "1024 pixels ; accès à demander sur le hub ; demande un GPU.",
    "1024 pixels; wants a large GPU.": "1024 pixels ; demande un grand GPU.",
    "1024 pixels; gated on the hub; wants a large GPU.": "1024 pixels ; accès à demander sur le hub ; demande un grand GPU.",
    "free only below one million dollars of revenue a year": "gratuit seulement sous un million de dollars de revenus par an",
    "forbidden": "interdit",
    "the uses that its attachment A lists, such as harming or deceiving people": "les usages que liste son annexe A, comme nuire aux gens ou les tromper",
    "About nine times slower than the starter.": "Environ neuf fois plus lent que le modèle de départ.",
    "using its answers to develop competing models": "se servir de ses réponses pour développer des modèles concurrents",
    "one segment without times; 25 minutes a request": "un seul segment sans horaires ; 25 minutes par demande",
    "25 MB a request": "25 Mo par demande",
    "1024x1024, 1536x1024 or 1024x1536": "1024x1024, 1536x1024 ou 1024x1536",
    "1024x1024, 1792x1024 or 1024x1792; changes no pictures": "1024x1024, 1792x1024 ou 1024x1792 ; ne modifie pas d'images",
    "what its acceptable use policy lists; what is built with it must say so": "ce que liste sa politique d'usage ; ce qui est construit avec lui doit le dire",
    "with more than 700 million users a month only by a licence of Meta's own": "au-delà de 700 millions d'utilisateurs par mois, seulement avec une licence propre de Meta",
    "With pictures English only; its licence grants nothing to people and companies of the European Union.": "Avec des images, anglais seulement ; sa licence n'accorde rien aux personnes et entreprises de l'Union européenne.",
    "Best at program code.": "Meilleur pour le code.",
    "Best in English.": "Meilleur en anglais.",
    "what its prohibited use policy lists": "ce que liste sa politique d'usages interdits",
    "Thinks aloud before it answers.": "Réfléchit à voix haute avant de répondre.",
    "Its compatible server is meant for trying it.": "Son serveur compatible est prévu pour l'essayer.",
    "What it is for is guessed from its name.": "Son usage est deviné d'après son nom.",
    "Never run on its real weights here, only a pipeline of its class with random ones.": NEVER_RUN,
}


def in_words(text: str, language: str) -> str:
    """A card's sentence in the page's language; in English where it has no French."""
    if not language.lower().startswith("fr"):
        return text
    whole = CARD_WORDS.get(text)
    head, _, rest = text.partition(". ")
    if whole is None and rest:
        return f"{in_words(f'{head}.', language)} {in_words(rest, language)}"
    return whole or text
