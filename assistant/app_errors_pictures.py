"""What is said of pictures: why one was not drawn, and what was done instead, in French; `app_errors.py` looks it up."""

from __future__ import annotations

PICTURES: tuple[tuple[str, str], ...] = (
    (r"There is nothing to draw: the prompt is empty\.", "Il n'y a rien à dessiner : la description est vide."),
    (r"Say what the picture should show\.", "Dites ce que l'image doit montrer."),
    (r"A picture cannot be (\d+)×(\d+) pixels\.", r"Une image ne peut pas avoir \1×\2 pixels."),
    (r"Each side takes (\d+) to (\d+) pixels\.", r"Chaque côté prend de \1 à \2 pixels."),
    (
        r"Each side must be a multiple of 8 from (\d+) to (\d+)\.",
        r"Chaque côté doit être un multiple de 8, de \1 à \2.",
    ),
    (r"(\d+) steps cannot be done\.", r"\1 étapes, c'est impossible."),
    (r"Take 1 to (\d+)\.", r"Prenez-en de 1 à \1."),
    (r"(.+) marks nothing: it is black\.", r"\1 ne marque rien : il est noir."),
    (r"Paint white what shall be drawn anew\.", "Peignez en blanc ce qui doit être redessiné."),
    (r"(.+) is not a picture that can be read\.", r"\1 n'est pas une image lisible."),
    (r"Send a PNG, JPEG or WebP file\.", "Envoyez un fichier PNG, JPEG ou WebP."),
    (r"(.+) has far too many pixels to be unpacked\.", r"\1 a beaucoup trop de pixels pour être décompressée."),
    (
        r"(.+) has (\d+×\d+) pixels; at most (\d+) million are unpacked\.",
        r"\1 a \2 pixels ; \3 millions au plus sont décompressés.",
    ),
    (r"Send a smaller one\.", "Envoyez-en une plus petite."),
    (
        r"(.+) has transparent places: they were taken as white\.",
        r"\1 a des endroits transparents : ils ont été pris pour du blanc.",
    ),
    (r"(.+) has (\d+) frames: the first was taken\.", r"\1 a \2 images : la première a été prise."),
    (
        r"The mask is (\d+×\d+) pixels and the picture (\d+×\d+): it was resized\.",
        r"Le masque a \1 pixels et l'image \2 : il a été redimensionné.",
    ),
    (
        r"(\d+×\d+) was rounded to (\d+×\d+): this model's sides are multiples of (\d+)\.",
        r"\1 a été arrondi à \2 : les côtés de ce modèle sont des multiples de \3.",
    ),
    (
        r"Memory ran out; the picture was decoded in smaller tiles\.",
        "La mémoire manquait ; l'image a été décodée par petits carreaux.",
    ),
    (
        r"Half precision gave no valid numbers; the picture was drawn again in full precision, which is slower\.",
        "La demi-précision n'a pas donné de nombres valables ; l'image a été redessinée en pleine précision, ce qui est plus lent.",
    ),
    (
        r"The graphics card's memory is full; the picture was drawn on the processor, which is slower\.",
        "La mémoire de la carte graphique est pleine ; l'image a été dessinée par le processeur, ce qui est plus lent.",
    ),
    (
        r"This model takes no list of what to leave out; it was not used\.",
        "Ce modèle ne prend pas de liste de ce qu'il faut omettre ; elle n'a pas servi.",
    ),
    (
        r"The picture model reads (\d+) tokens; this end of the prompt was not used: (“.*”)",
        r"Le modèle d'images lit \1 jetons ; cette fin de la description n'a pas servi : \2",
    ),
    (
        r"The starter picture model reads short descriptions; this end was not used: (“.*”)",
        r"Le modèle d'images de départ lit de courtes descriptions ; cette fin n'a pas servi : \1",
    ),
    (
        r"The weights of the starter picture model are not installed\. .*",
        "Les poids du modèle d'image de départ ne sont pas installés. Réinstallez le projet, ou réglez ASSISTANT_IMAGE sur un autre modèle d'image.",
    ),
    (
        r"The starter picture model could not be opened: (.+) Reinstall the project, .*",
        r"Le modèle d'image de départ n'a pas pu s'ouvrir : \1 Réinstallez le projet, ou réglez ASSISTANT_IMAGE sur un autre modèle d'image.",
    ),
    (
        r"The starter picture model draws from words only\.",
        "Le modèle d'images de départ ne dessine qu'à partir de mots.",
    ),
    (
        r"Ask without the picture, or set ASSISTANT_IMAGE to a larger picture model\.",
        "Demandez sans l'image, ou choisissez un plus grand modèle d'images avec ASSISTANT_IMAGE.",
    ),
    (
        r"(.+) cannot change a picture: it was drawn anew from the words\.",
        r"\1 ne peut pas modifier une image : elle a été redessinée d'après les mots.",
    ),
    (
        r"(.+) cannot refine a picture: it was enlarged without new detail\.",
        r"\1 ne peut pas affiner une image : elle a été agrandie sans nouveaux détails.",
    ),
    (
        r"Without words that say what it shows, the picture was enlarged without new detail\.",
        "Sans mots qui disent ce qu'elle montre, l'image a été agrandie sans nouveaux détails.",
    ),
    (r"There is no picture to enlarge\.", "Il n'y a pas d'image à agrandir."),
    (r"Attach one, or draw one first\.", "Joignez-en une, ou faites-en dessiner une d'abord."),
    (
        r"The picture is (\d+×\d+) pixels; none is drawn larger\.",
        r"L'image a \1 pixels ; aucune n'est dessinée plus grande.",
    ),
    (r"Waiting for 1 other picture to be drawn first", "En attente : une autre image est dessinée avant"),
    (r"Waiting for (\d+) other pictures to be drawn first", r"En attente : \1 autres images sont dessinées avant"),
    (r"There is no photograph to restore\.", "Il n'y a pas de photographie à restaurer."),
    (r"Attach it and ask again\.", "Joignez-la et redemandez."),
    (
        r"The photograph was drawn anew where it was worn: small things, faces too, may differ from it\.",
        "La photographie a été redessinée là où elle était usée : des détails, les visages aussi, peuvent en différer.",
    ),
    (
        r"The colours are the model's guess; light, shade and every detail are the photograph's own\.",
        "Les couleurs sont devinées par le modèle ; la lumière, les ombres et chaque détail sont ceux de la photographie.",
    ),
    (r"The picture is no longer there\.", "L'image n'est plus là."),
    (r"Draw it again\.", "Dessinez-la de nouveau."),
    (r"Nothing was said of what shall be there\.", "Rien n'a été dit de ce qu'il doit y avoir."),
    (r"Say what the painted part should show\.", "Dites ce que la partie peinte doit montrer."),
    (r"The painted part could not be read\.", "La partie peinte n'a pas pu être lue."),
    (r"Paint it again\.", "Peignez-la de nouveau."),
    (r"Ask for another change\.", "Demandez un autre changement."),
    (
        r"(\d+) pictures were asked for; (\d+) are drawn at a time\.",
        r"\1 images étaient demandées ; \2 sont dessinées à la fois.",
    ),
    (
        r"The prompt has ([\d,]+) characters; only the first ([\d,]+) were used\.",
        r"La description a \1 caractères ; seuls les \2 premiers ont servi.",
    ),
    (
        r"The licence of (.+) \((.+)\) forbids commercial use\.",
        r"La licence de \1 (\2) interdit l'usage commercial.",
    ),
    (
        r"The licence of (.+) \((.+)\) limits commercial use: (.+)\.",
        r"La licence de \1 (\2) limite l'usage commercial : \3.",
    ),
    (
        r"This prompt seems to ask for (.+), which is not drawn here\.",
        r"Cette description semble demander ce qui n'est pas dessiné ici (\1).",
    ),
    (r"Put it in other words\.", "Formulez-la autrement."),
    (
        r"This prompt seems to ask for (.+)\. Whoever runs this assistant may not want that\.",
        r"Cette description semble demander ce que l'opérateur de cet assistant ne souhaite peut-être pas (\1).",
    ),
    (r"This picture model takes no LoRA\.", "Ce modèle d'images ne prend pas de LoRA."),
    (r"Leave it out, or choose another model\.", "Laissez-le de côté, ou choisissez un autre modèle."),
    (r"(.+) changes no pictures\.", r"\1 ne modifie pas d'images."),
    (
        r"Choose another picture model, such as gpt-image-1\.",
        "Choisissez un autre modèle d'images, par exemple gpt-image-1.",
    ),
)
