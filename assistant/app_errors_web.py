"""What web pages and databases say to a person, in French; `app_errors.py` looks it up. Messages and remedies stand one by one."""

from __future__ import annotations

WEB: tuple[tuple[str, str], ...] = (
    # Addresses
    (r"Offline mode: nothing is fetched\.", "Mode hors ligne : rien n'est téléchargé."),
    (r"Offline mode: (\S+) is on another machine\.", r"Mode hors ligne : \1 est sur une autre machine."),
    (r"The empty text is no web address\.", "Un texte vide n'est pas une adresse web."),
    (r"(\S+) is no web address\.", r"\1 n'est pas une adresse web."),
    (r"The address holds a name or password\.", "L'adresse contient un nom ou un mot de passe."),
    (
        r"(\S+) writes a network address in an unusual form\.",
        r"\1 écrit une adresse réseau sous une forme inhabituelle.",
    ),
    (r"(\S+) is an internal address and is not fetched\.", r"\1 est une adresse interne et n'est pas téléchargé."),
    (
        r"(\S+) is inside the network \(this machine\) and is not fetched\.",
        r"\1 est à l'intérieur du réseau (cette machine) et n'est pas téléchargé.",
    ),
    (
        r"(\S+) is inside the network \((\S+)\) and is not fetched\.",
        r"\1 est à l'intérieur du réseau (\2) et n'est pas téléchargé.",
    ),
    (
        r"Port (\d+) of (\S+) is not one of a web server's \(80, 443, 8000 to 8999\)\.",
        r"Le port \1 de \2 n'est pas celui d'un serveur web (80, 443, 8000 à 8999).",
    ),
    (r"The address has more than (\d+) characters\.", r"L'adresse a plus de \1 caractères."),
    (
        r"(\S+) is larger than (\d+) MB, too much for one page\.",
        r"\1 dépasse \2 Mo, c'est trop pour une seule page.",
    ),
    (r"Save the page and add it in parts\.", "Enregistrez la page et ajoutez-la en plusieurs parties."),
    (r"The address cannot be read: (.+)\.", r"L'adresse ne peut pas être lue : \1."),
    # What servers answer
    (r"(\S+) was still sending after (\S+) s\.", r"\1 envoyait encore après \2 s."),
    (r"(\S+) redirects in a circle\.", r"\1 redirige en boucle."),
    (r"(\S+) redirects more than (\d+) times\.", r"\1 redirige plus de \2 fois."),
    (r"(\S+) redirects to an address that cannot be read\.", r"\1 redirige vers une adresse illisible."),
    (
        r"The proxy of the environment is neither http nor https\.",
        "Le proxy de l'environnement n'est ni http ni https.",
    ),
    (
        r"The certificate of (\S+) cannot be trusted: (.+)\.",
        r"Le certificat de \1 n'est pas digne de confiance : \2.",
    ),
    (r"(\S+) does not answer\.", r"\1 ne répond pas."),
    (
        r"(\S+) broke off or answered what is not HTTP: nothing\.",
        r"\1 s'est interrompu ou a répondu autre chose que du HTTP.",
    ),
    (
        r"(\S+) broke off or answered what is not HTTP: (.+)\.",
        r"\1 s'est interrompu ou a répondu autre chose que du HTTP : \2.",
    ),
    (
        r"(\S+) cannot be reached: the name is not known \((.+)\)\.",
        r"\1 est injoignable : ce nom est inconnu (\2).",
    ),
    (r"(\S+) cannot be reached: the name has no address\.", r"\1 est injoignable : ce nom n'a pas d'adresse."),
    (r"(\S+) cannot be reached: (.+)\.", r"\1 est injoignable : \2."),
    (r"(\S+) is (\S+), which is not read here\.", r"\1 est du \2, qui ne se lit pas ici."),
    (
        r"The server packs its answer as (.+), unasked\.",
        r"Le serveur compresse sa réponse en \1 sans que ce soit demandé.",
    ),
    (r"There is no page (\S+) \(the server answered (\d+)\)\.", r"La page \1 n'existe pas (le serveur a répondu \2)."),
    (r"(\S+) keeps (\S+) to itself \(it answered (\d+)\)\.", r"\1 ne donne pas accès à \2 (il a répondu \3)."),
    (r"(\S+) is busy \(it answered (\d+)\)\.", r"\1 est surchargé (il a répondu \2)."),
    (r"(\S+) answered (\d+)\.", r"\1 a répondu \2."),
    (r"The page is larger than (\S+) MB\.", r"La page fait plus de \1 Mo."),
    # Sites
    (
        r"robots\.txt of (\S+) asks programs not to read (\S+)\.",
        r"Le fichier robots.txt de \1 demande aux programmes de ne pas lire \2.",
    ),
    (r"(\S+) leads to another site, (\S+)\.", r"\1 mène à un autre site, \2."),
    (r"(\S+) asks not to be indexed\.", r"La page \1 demande à ne pas être indexée."),
    (r"The site has more than (\d+) MB; the rest was left\.", r"Le site fait plus de \1 Mo ; le reste a été laissé."),
    (
        r"The site has more than (\d+) pages; the rest was left\.",
        r"Le site a plus de \1 pages ; le reste a été laissé.",
    ),
    (r"(\S+) sends nothing\.", r"\1 n'envoie rien."),
    (
        r"The list of origins (.+) cannot be used: (.+)\.",
        r"La liste des provenances \1 ne peut pas être utilisée : \2.",
    ),
    # Databases
    (
        r"Databases are added by who runs this assistant\.",
        "Les bases de données sont ajoutées par la personne qui gère cet assistant.",
    ),
    (r"(\w+) has no value\.", r"\1 n'a pas de valeur."),
    (r"The driver (\S+) is not installed\.", r"Le pilote \1 n'est pas installé."),
    (r"((?:sqlite|postgresql|mysql|mariadb)\S*): (.+)\.", r"\1 : \2."),
    (r"The query holds several statements\.", "La requête contient plusieurs instructions."),
    (
        r"The query would write a file, or hides a part of itself\.",
        "La requête écrirait un fichier, ou cache une partie d'elle-même.",
    ),
    (r"Only SELECT is run, not nothing\.", "Seul SELECT est exécuté, et la requête est vide."),
    (r"Only SELECT is run, not (\S+)\.", r"Seul SELECT est exécuté, pas \1."),
    (
        r"(.+) has more than can be read \(([\d,]+) rows, (\d+) minutes\)\.",
        r"\1 dépasse ce qui peut être lu (\2 lignes, \3 minutes).",
    ),
    (r"There is no table (.+)\.", r"La table \1 n'existe pas."),
    (r"There is no database file (.+)\.", r"Le fichier de base de données \1 n'existe pas."),
    (r"The address of the database cannot be read\.", "L'adresse de la base de données ne peut pas être lue."),
    (r"(\S+) databases are not read here\.", r"Les bases \1 ne se lisent pas ici."),
    (
        r"The password for (\S+) was in its address, and is not kept\.",
        r"Le mot de passe de \1 était dans son adresse, et n'est pas conservé.",
    ),
    (
        r"A password stands in the address of (\S+), and would be written down with it\.",
        r"Un mot de passe figure dans l'adresse de \1 et serait enregistré avec elle.",
    ),
    (r"(\S+) is an archive\.", r"\1 est une archive."),
    (r"(\S+) was added in the page by (.+)\.", r"\1 a été ajouté dans la page par \2."),
    # What to do about it: web pages
    (r"What was read before is kept\.", "Ce qui avait été lu est conservé."),
    (r"Download it and add the file\.", "Téléchargez-la et ajoutez le fichier."),
    (r"Start the page, which goes on with it\.", "Lancez la page, qui s'en chargera."),
    (r"Save the page and ingest the file\.", "Enregistrez la page et ajoutez le fichier."),
    (
        r"It begins with http:// or https:// and names a host\.",
        "Elle commence par http:// ou https:// et nomme un serveur.",
    ),
    (
        r"Leave it out: pages behind a login are not read\.",
        "Retirez-le : les pages qui demandent une connexion ne sont pas lues.",
    ),
    (r"Give the name of the host\.", "Donnez le nom du serveur."),
    (
        r"Whoever runs the assistant may allow it: (ASSISTANT_FETCH_PRIVATE_HOSTS=\S+)\.",
        r"La personne qui gère l'assistant peut l'autoriser : \1.",
    ),
    (r"Check the address in a browser\.", "Vérifiez l'adresse dans un navigateur."),
    (r"Give the last address\.", "Donnez la dernière adresse."),
    (r"Copy it from a browser\.", "Copiez-la depuis un navigateur."),
    (r"Tell its owner\.", "Prévenez son propriétaire."),
    (r"Set HTTPS_PROXY to one that is\.", "Réglez HTTPS_PROXY sur un proxy qui l'est."),
    (r"Tell whoever runs that server\.", "Prévenez la personne qui gère ce serveur."),
    (
        r"Check the address and the network, or try again later\.",
        "Vérifiez l'adresse et le réseau, ou réessayez plus tard.",
    ),
    (r"Check the address and the network\.", "Vérifiez l'adresse et le réseau."),
    (r"Check the address, or try again later\.", "Vérifiez l'adresse, ou réessayez plus tard."),
    (r"Check the address\.", "Vérifiez l'adresse."),
    (r"Try again later\.", "Réessayez plus tard."),
    (r"Give its address by itself\.", "Donnez son adresse à part."),
    (
        r"Save it and split it, or raise ASSISTANT_MAX_UPLOAD_MB\.",
        "Enregistrez-la et découpez-la, ou augmentez ASSISTANT_MAX_UPLOAD_MB.",
    ),
    (r"Add that one by itself\.", "Ajoutez celui-là à part."),
    (r"Add it by itself\.", "Ajoutez-la à part."),
    (r"Give a higher number of pages\.", "Donnez un plus grand nombre de pages."),
    (r"Free some space or make the folder writable\.", "Faites de la place ou rendez le dossier modifiable."),
    # What to do about it: databases
    (r"Ask for `assistant ingest --database`\.", "Demandez-lui `assistant ingest --database`."),
    (r"Set it in \.env or in the environment\.", "Donnez-lui-en une dans .env ou dans l'environnement."),
    (r"pip install (\S+), then try again\.", r"Lancez `pip install \1`, puis réessayez."),
    (
        r"Put it in \.env as DB_PASSWORD=… and write (\S+) in its place\.",
        r"Mettez-le dans .env (DB_PASSWORD=…) et écrivez \1 à sa place.",
    ),
    (r"Give one SELECT for each name\.", "Donnez un seul SELECT par nom."),
    (r"Databases are only read\.", "Les bases de données sont seulement lues."),
    (
        r"Databases are only read: give a SELECT that changes nothing\.",
        "Les bases de données sont seulement lues : donnez un SELECT qui ne change rien.",
    ),
    (r"Check the name and the password\.", "Vérifiez le nom et le mot de passe."),
    (
        r"Check the address and that the database runs\.",
        "Vérifiez l'adresse et que la base de données fonctionne.",
    ),
    (r"Check the query and the database\.", "Vérifiez la requête et la base de données."),
    (r"Nothing was changed\.", "Rien n'a été changé."),
    (r"Choose what matters with a query\.", "Choisissez l'essentiel par une requête."),
    (r"Did you mean (.+)\?", r"Vouliez-vous dire \1 ?"),
    (r"There are: none\.", "Il n'y en a aucune."),
    (r"There are: (.+)\.", r"Il y a : \1."),
    (
        r"Four slashes begin an absolute path: (\S+)",
        r"Un chemin absolu commence par quatre barres obliques : \1",
    ),
    (r"It looks like (postgresql://\S+)\.", r"Elle ressemble à \1."),
    (
        r"SQLite files, PostgreSQL, MySQL and MariaDB are, because these can be kept from writing\.",
        "SQLite, PostgreSQL, MySQL et MariaDB se lisent, car on peut y empêcher l'écriture.",
    ),
    (
        r"Ingest it again, with (\S+) in the address and the password in \.env\.",
        r"Ajoutez-la de nouveau, avec \1 dans l'adresse et le mot de passe dans .env.",
    ),
    (r"Switch offline mode off\.", "Désactivez le mode hors ligne."),
)
"""A pattern of the English line, whole, and its French."""
