"""What the knowledge base says to a person, in French; `app_errors.py` looks it up. Messages and remedies stand one by one."""

from __future__ import annotations

KNOWLEDGE: tuple[tuple[str, str], ...] = (
    (r"(.+) cannot be read: (.+)\.", r"\1 ne peut pas être lu : \2."),
    (r"(.+) could not be read in: (.+)\.", r"\1 n'a pas pu être lu : \2."),
    (r"(?:Adding|Hearing) (.+) was stopped\.", r"La lecture de \1 a été arrêtée."),
    (r"No speech was heard in (.+)\.", r"Aucune parole n'a été entendue dans \1."),
    (r"The disk of (.+) is full; nothing was changed\.", r"Le disque de \1 est plein ; rien n'a changé."),
    (r"The knowledge base in (.+) cannot be written.*\.", r"La base de documents dans \1 n'est pas modifiable."),
    (
        r"The knowledge base is open in another process \((.+)\), and one at a time may write it\.",
        r"La base de documents est ouverte par un autre programme (\1), et un seul à la fois peut la modifier.",
    ),
    (r"The knowledge base in (.+?) failed: (.+)\.", r"La base de documents dans \1 a échoué : \2."),
    (
        r"The knowledge base file (.+) is damaged: (.+)\.",
        r"Le fichier de la base de documents \1 est endommagé : \2.",
    ),
    (
        r"The vector index in (.+) cannot be written: (.+)\.",
        r"L'index des vecteurs dans \1 n'est pas modifiable : \2.",
    ),
    (r"Re-embedding with (.+): (\d+) %\.", r"Nouvelle indexation avec \1 : \2 %."),
    (r"Re-embedding with (.+) is paused at (\d+) %\.", r"La nouvelle indexation avec \1 est en pause à \2 %."),
    (
        r"Re-embedding with (.+) was cancelled, (.+) goes on answering\.",
        r"La nouvelle indexation avec \1 a été abandonnée, \2 continue de répondre.",
    ),
    (
        r"The documents are indexed with (.+), not yet with (.+)\.",
        r"Les documents sont indexés avec \1, pas encore avec \2.",
    ),
    (r"Re-embedding with (.+) stopped at (\d+) %\.", r"La nouvelle indexation avec \1 s'est arrêtée à \2 %."),
    (
        r"(.+) is missing, so documents are found by their words alone for now\.",
        r"\1 manque : pour l'instant, seuls les mots permettent de trouver les documents.",
    ),
    (r"(.+) can(?:not| no longer) be loaded here\.", r"\1 ne peut pas être chargé ici."),
    (
        r"(.+) is hosted and no longer chosen, so nothing is sent there\.",
        r"\1 est hébergé et n'est plus choisi : rien n'y est envoyé.",
    ),
    (r"Re-embedding was stopped\.", "La nouvelle indexation a été arrêtée."),
    (r"(.+) no longer answers\.", r"\1 ne répond plus."),
    (r"The vectors that were to take over were given up\.", "Les vecteurs à venir ont été abandonnés."),
    (r"The document was taken out while it was read in\.", "Le document a été retiré pendant sa lecture."),
    (r"(.+) is no longer there\.", r"\1 n'est plus là."),
    (r"(.+) was taken out while it was read\.", r"\1 a été retiré pendant sa lecture."),
    (r"(.+) is still being read\.", r"\1 est encore en cours de lecture."),
    (r"(.+) is not in this conversation\.", r"\1 n'est pas dans cette conversation."),
    (r"(.+) is not in ((?:user-|thread-)\S+|shared)\.", r"\1 n'est pas dans \2."),
    (r"There is no collection (\S+)\.", r"La collection \1 n'existe pas."),
    (r"There is no document (.+)\.", r"Le document \1 n'existe pas."),
    (r"There is no such file in the queue\.", "Ce fichier n'est pas dans la file."),
    (r"(.+) was shared by somebody else\.", r"\1 a été partagé par quelqu'un d'autre."),
    (r"(.+?) holds no files that can be read(?:: .+)?\.", r"\1 ne contient aucun fichier lisible."),
    (r"([\d,]+) files; left out: (.+)", r"\1 fichiers ; laissés de côté : \2"),
    (r"([\d,]+) files", r"\1 fichiers"),
    (r"The Chroma server at (\S+) cannot be used: (.+)\.", r"Le serveur Chroma à \1 n'est pas utilisable : \2."),
    (
        r"The Chroma server at (\S+) holds ([\d,x]*) of ([\d,x]*) vectors\.",
        r"Le serveur Chroma à \1 contient \2 vecteurs sur \3.",
    ),
    # What to do about it.
    (
        r"Start it, or correct chroma_url; documents are found without it meanwhile, only more slowly\.",
        "Démarrez-le, ou corrigez chroma_url ; en attendant, les documents se trouvent sans lui, seulement plus lentement.",
    ),
    (
        r"The page fills it by itself, `assistant check --repair` does it at once\.",
        "La page le remplit d'elle-même, `assistant check --repair` le fait aussitôt.",
    ),
    (r"Check its permissions\.", "Vérifiez ses droits d'accès."),
    (r"Check the recording\.", "Vérifiez l'enregistrement."),
    (r"Add it again to hear the rest\.", "Ajoutez-le de nouveau pour entendre la suite."),
    (r"Add it again\.", "Ajoutez-le de nouveau."),
    (r"Free some space and try again\.", "Faites de la place et réessayez."),
    (
        r"Make the folder writable or set ASSISTANT_HOME to another one\.",
        "Rendez le dossier modifiable, ou changez ASSISTANT_HOME.",
    ),
    (r"`assistant sources` lists what is there\.", "`assistant sources` montre ce qui s'y trouve."),
    (r"Wait until it is read, then try again\.", "Attendez la fin de la lecture, puis réessayez."),
    (r"Drop it here again\.", "Déposez-le ici de nouveau."),
    (r"Try again\.", "Réessayez."),
    (
        r"Restore it from a backup, or move it away to begin anew\.",
        "Restaurez-le depuis une sauvegarde, ou déplacez-le pour recommencer à neuf.",
    ),
    (r"(.+) answers meanwhile\.", r"\1 répond en attendant."),
    (r"`assistant reembed` begins again\.", "`assistant reembed` recommence."),
    (
        r"The page re-embeds them while it runs, and so does `assistant reembed`\.",
        "La page s'en charge pendant qu'elle tourne, tout comme `assistant reembed`.",
    ),
    (
        r"Words find documents until the new model is ready\.",
        "Les mots suffisent jusqu'à ce que le nouveau modèle soit prêt.",
    ),
    (r"What was embedded is kept until it is given up\.", "Ce qui est indexé est gardé jusqu'à l'abandon."),
    (r"Load the page again\.", "Rechargez la page."),
    (r"Only who shared a document may change it\.", "Seul qui a partagé un document peut le changer."),
    # What goes on meanwhile.
    (r"Indexing (.*[^.\s])", r"Indexation de \1"),
    (r"Hearing (.*[^.\s])", r"Écoute de \1"),
    (r"Reading (.*[^.\s])", r"Lecture de \1"),
)
"""A pattern of the English line, whole, and its French."""
