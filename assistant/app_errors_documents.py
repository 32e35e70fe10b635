"""What the reading of documents says to a person, in French; `app_errors.py` looks it up. Messages and remedies stand one by one."""

from __future__ import annotations

READING: tuple[tuple[str, str], ...] = (
    (r"(.+) is empty \(0 bytes\)\.", r"\1 est vide (0 octet)."),
    (r"(.+) is empty\.", r"\1 est vide."),
    (r"(.+) is encrypted\.", r"\1 est chiffré."),
    (r"(.+) is encrypted by its shop\.", r"\1 est verrouillé par son vendeur."),
    (r"(.+) is in the old (\w+) format\.", r"\1 est dans l'ancien format \2."),
    (r"(.+) is an Outlook message\.", r"\1 est un message Outlook."),
    (
        r"(.+) is encrypted or in an old Office format\.",
        r"\1 est chiffré ou dans un ancien format Office.",
    ),
    (r"(.+) is a damaged or empty archive\.", r"\1 est une archive endommagée ou vide."),
    (r"(.+) is an archive with no files in it\.", r"\1 est une archive sans fichiers."),
    (r"(.+) is a (7-Zip|RAR) archive, which is not opened\.", r"\1 est une archive \2, qui n'est pas ouverte."),
    (r"(.+) holds binary data, which is not a document\.", r"\1 contient des données binaires, pas un document."),
    (r"(.+) holds (\S+), which is not a document\.", r"\1 contient du \2, pas un document."),
    (r"(.+) is damaged and cannot be (?:opened|read)\.", r"\1 est endommagé et ne peut pas être lu."),
    (r"(.+) is damaged or cut short\.", r"\1 est endommagé ou incomplet."),
    (
        r"(.+) is damaged or needs too much memory to be read\.",
        r"\1 est endommagé ou demande trop de mémoire pour être lu.",
    ),
    (r"(.+) is nested too deeply to be read\.", r"\1 est imbriqué trop profondément pour être lu."),
    (r"Save it anew or as PDF\.", "Enregistrez-le de nouveau ou en PDF."),
    (r"(.+) needs too much memory to be read\.", r"\1 demande trop de mémoire pour être lu."),
    (r"(.+) takes too long to read\.", r"\1 est trop long à lire."),
    (
        r"(.+) would unpack to ([\d,]+) MB(?: or more)? and was not opened\.",
        r"\1 ferait \2 Mo ou plus une fois décompressé et n'a pas été ouvert.",
    ),
    (r"(.+) has no text: it looks scanned\.", r"\1 n'a pas de texte : il semble scanné."),
    (r"(.+?) has no text in it(?:: .+)?\.", r"\1 ne contient pas de texte."),
    (
        r"(.+) is a picture; the text in it is read by tesseract, which is not installed\.",
        r"\1 est une image ; son texte est lu par tesseract, qui n'est pas installé.",
    ),
    (r"(.+) has too many pixels to be read\.", r"\1 a trop de pixels pour être lu."),
    (r"(.+) is a folder\.", r"\1 est un dossier."),
    (r"(.+) was not found\.", r"\1 est introuvable."),
    (
        r"(.+) is ([\d,]+) MB; files of up to ([\d,]+) MB are read\.",
        r"\1 fait \2 Mo ; on lit des fichiers de \3 Mo au plus.",
    ),
    (r"Reading (.+) was stopped\.", r"La lecture de \1 a été arrêtée."),
    # What to do about it.
    (
        r"Check that it was saved or uploaded completely\.",
        "Vérifiez qu'il a été enregistré ou envoyé en entier.",
    ),
    (r"Check that it is the right file\.", "Vérifiez que c'est le bon fichier."),
    (r"Save it anew, or download it again\.", "Enregistrez-le ou téléchargez-le de nouveau."),
    (
        r"Save it anew or as PDF and add it again\.",
        "Enregistrez-le de nouveau ou en PDF et ajoutez-le encore une fois.",
    ),
    (r"Split it into smaller files\.", "Découpez-le en fichiers plus petits."),
    (
        r"(?:Split it into smaller files, or save it anew|Save it anew, or split it into smaller files)\.",
        "Enregistrez-le de nouveau, ou découpez-le en fichiers plus petits.",
    ),
    (r"Split it, or save it without pictures\.", "Découpez-le, ou enregistrez-le sans images."),
    (r"Unpack it, or pack it as \.zip\.", "Décompressez-la, ou faites-en un .zip."),
    (r"Open it, remove its password and save it\.", "Ouvrez-le, retirez son mot de passe et enregistrez-le."),
    (
        r"Open it, remove the password and save it as \.docx or PDF\.",
        "Ouvrez-le, retirez le mot de passe et enregistrez-le en .docx ou en PDF.",
    ),
    (r"Open it and save it as (\S+) or PDF\.", r"Ouvrez-le et enregistrez-le en \1 ou en PDF."),
    (r"Remove its password and add it again\.", "Retirez son mot de passe et ajoutez-le de nouveau."),
    (r"Add a copy without copy protection\.", "Ajoutez un exemplaire sans protection."),
    (r"Make it smaller and add it again\.", "Réduisez-le et ajoutez-le de nouveau."),
    (r"`assistant transcribe` reads it\.", "`assistant transcribe` le lit."),
    (r"Name the files in it one by one\.", "Nommez un à un les fichiers qu'il contient."),
    (r"Check the path\.", "Vérifiez le chemin."),
    (r"Download the document and open it\.", "Téléchargez le document et ouvrez-le."),
    (r"Page (\d+) of (.+) cannot be drawn\.", r"La page \1 de \2 ne peut pas être affichée."),
    (r"The page is no longer there\.", "La page n'est plus là."),
    (r"Add the document again\.", "Ajoutez le document de nouveau."),
    (
        r"Choose a PDF, an Office .+ or plain text\.",
        "Choisissez un PDF, un fichier Office ou OpenDocument, une page web, un livre, un e-mail, une image de texte ou du texte.",
    ),
    (
        r"Install tesseract \(Debian and Ubuntu: (.+)\) and add the file again\.",
        r"Installez tesseract (Debian et Ubuntu : \1) et ajoutez le fichier de nouveau.",
    ),
    (r"Add it again to read it\.", "Ajoutez-le de nouveau pour le lire."),
)
