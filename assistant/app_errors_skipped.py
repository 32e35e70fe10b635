"""Why a page, or a file inside a file, was left out, in French; `app_errors.py` looks it up."""

from __future__ import annotations

_WHY_NOT_READ: tuple[tuple[str, str], ...] = (
    ("install tesseract-ocr to have it read", "installez tesseract-ocr pour que le texte soit lu"),
    (r"reading it took longer than (\d+) seconds", r"la lecture a pris plus de \1 secondes"),
    ("tesseract could not read it", "tesseract n'a pas réussi à lire le texte"),
)
"""What `knowledge/parsing/ocr.py` says of a picture that it did not read."""
_NOT_READ: tuple[tuple[str, str], ...] = (
    ("no text: the page is scanned; ", "pas de texte : la page est scannée ; "),
    ("no text: the slide is a picture; ", "pas de texte : la diapositive est une image ; "),
    ("no text: the file holds only pictures; ", "pas de texte : le fichier n'a que des images ; "),
    ("the picture on the page was not read; ", "l'image de la page n'a pas été lue ; "),
    ("the picture was not read: ", "l'image n'a pas été lue : "),
)

SKIPPED: tuple[tuple[str, str], ...] = (
    *((what + why, quoi + pourquoi) for what, quoi in _NOT_READ for why, pourquoi in _WHY_NOT_READ),
    (r"no text: the page is empty", "pas de texte : la page est vide"),
    (r"no text: the page holds only pictures or drawings", "pas de texte : la page n'a que des images ou des dessins"),
    (r"no text: the slide is empty", "pas de texte : la diapositive est vide"),
    (
        r"no text: the slide is empty or holds only pictures",
        "pas de texte : la diapositive est vide ou n'a que des images",
    ),
    (r"no text: the slide holds only pictures", "pas de texte : la diapositive n'a que des images"),
    (r"no text in the picture", "pas de texte dans l'image"),
    (r"the picture is damaged", "l'image est endommagée"),
    (
        r"the page is damaged, or wants too much memory or time",
        "la page est endommagée, ou demande trop de mémoire ou de temps",
    ),
    (r"the page is damaged \(.+\)", "la page est endommagée"),
    (r"the page needs too much memory to be read", "la page demande trop de mémoire pour être lue"),
    (r"the slide is damaged \(\w+\)", "la diapositive est endommagée"),
    (r"the sheet ([^:]+) is damaged", r"la feuille \1 est endommagée"),
    (r"([^:]+) is a chart or a macro, not a table", r"\1 est un graphique ou une macro, pas un tableau"),
    (r"the rest of the table is damaged \((.+)\)", r"le reste du tableau est endommagé (\1)"),
    (r"in ([\d,]+) rows a value was too long and was cut", r"dans \1 lignes, une valeur trop longue a été coupée"),
    (r"chapter (\d+) is damaged or missing", r"le chapitre \1 est endommagé ou manquant"),
    (r"chapter (\d+) has no text", r"le chapitre \1 n'a pas de texte"),
    (r"cell (\d+) is damaged", r"la cellule \1 est endommagée"),
    (r"attachment (\d+) is a damaged message", r"la pièce jointe \1 est un message endommagé"),
    (r"the attachment ([^:]+) is empty or damaged", r"la pièce jointe \1 est vide ou endommagée"),
    (r"some lines have no readable time", "certaines lignes n'ont pas d'heure lisible"),
    (
        r"the end of the file is missing; only (\d+) pages could be found",
        r"la fin du fichier manque ; seules \1 pages ont été trouvées",
    ),
    (r"the end of the (?:file|page) is missing", "la fin manque"),
    (r"some characters could not be decoded", "certains caractères n'ont pas pu être décodés"),
    (
        r"only the first ([\d,]+) characters were read; split the file",
        r"seuls les \1 premiers caractères ont été lus ; découpez le fichier",
    ),
    (r"only the first ([\d,]+) messages were read", r"seuls les \1 premiers messages ont été lus"),
    (r"only the first ([\d,]+) files were read", r"seuls les \1 premiers fichiers ont été lus"),
    # Files inside
    (r"the rest of the archive is damaged or missing", "le reste de l'archive est endommagé ou manquant"),
    (r"its name leads out of the archive", "son nom mène hors de l'archive"),
    (r"it belongs to the system that packed the archive", "il appartient au système qui a fait l'archive"),
    (
        r"it is encrypted; unpack the archive with its password and add the files",
        "il est chiffré ; décompressez l'archive avec son mot de passe et ajoutez les fichiers",
    ),
    (r"it is damaged", "il est endommagé"),
    (r"it is a link or a device, not a file", "c'est un lien ou un périphérique, pas un fichier"),
    (
        r"it has ([\d,]+) MB; files of up to ([\d,]+) MB are read",
        r"il fait \1 Mo ; on lit des fichiers de \2 Mo au plus",
    ),
    (
        r"([^:]+) lies too deep inside other (?:files|archives); unpack it and add it by itself",
        r"\1 est trop profond dans d'autres fichiers ; extrayez-le et ajoutez-le seul",
    ),
    (
        r"([^:]+) is damaged, or wants too much memory or time",
        r"\1 est endommagé, ou demande trop de mémoire ou de temps",
    ),
    (r"([^:]+) is damaged", r"\1 est endommagé"),
    (r"([^:]+) is empty", r"\1 est vide"),
    (r"reading it was interrupted; add it again", "la lecture a été interrompue ; ajoutez-le de nouveau"),
    (r"and ([\d,]+) more", r"et \1 de plus"),
)
"""A pattern of the English reason, whole and without a full stop, and its French."""
