"""What the catalogue and “Use this” say to a person, in French; `app_errors.py` looks it up."""

from __future__ import annotations

MODELS: tuple[tuple[str, str], ...] = (
    (r"needs (\S+) GB; (\S+) GB are free on (\S+)", r"il faut \1 Go ; \2 Go sont libres sur \3"),
    (r"needs (\S+) GB of memory and (\S+) GB are free", r"il faut \1 Go de mémoire et \2 Go sont libres"),
    (r"runs on its provider's machines", "tourne sur les machines de son fournisseur"),
    (r"its size is not known", "sa taille n'est pas connue"),
    (r"No card for (.+)\.", r"Il n'y a pas de fiche pour \1."),
    (r"No model has the (\w+) (.+)\.", r"Aucun modèle n'a \1 \2."),
    (r"There are: (.+)\.", r"Il y a : \1."),
    (r"(.+) is no size\.", r"\1 n'est pas une taille."),
    (
        r"Write how much disk, such as 500MB or 2GB, or how many parameters, such as 3B\.",
        "Écrivez combien de disque, comme 500MB ou 2GB, ou combien de paramètres, comme 3B.",
    ),
    (r"There is no capability (.+)\.", r"Il n'y a pas de capacité \1."),
    (r"What (.+) is for is not known\.", r"On ne sait pas à quoi sert \1."),
    (r"Say so with --for: (.+)\.", r"Dites-le avec --for : \1."),
    (r"(.+) is for (\w+), not for (\w+)\.", r"\1 sert à \2, pas à \3."),
    (r"Choose another\.", "Choisissez-en un autre."),
    (
        r"(\S+) in the environment or \.env is the address of another server\.",
        r"\1 dans l'environnement ou .env est l'adresse d'un autre serveur.",
    ),
    (
        r"Take it away there first: it would be asked for this model, too\.",
        "Enlevez-le là d'abord : on lui demanderait aussi ce modèle.",
    ),
    (
        r"(.+) cannot be written: (.+)\. Write there yourself: (.+)\.",
        r"\1 ne peut pas être écrit : \2. Écrivez-y vous-même : \3.",
    ),
    (r"(\S+\.toml) cannot be read: (.+)\. Correct that line\.", r"\1 ne peut pas être lu : \2. Corrigez cette ligne."),
    (
        r"(.+) is given no pictures: the engine that runs it here reads text alone\.",
        r"\1 ne reçoit pas d'images : le moteur qui le fait tourner ici ne lit que du texte.",
    ),
    (r"It could not be kept in (.+): (.+)\.", r"Le résultat n'a pas pu être gardé dans \1 : \2."),
    # Servers that are asked for their models
    (r"(\S+) \((\S+)\) did not answer within (\d+) s\.", r"\1 (\2) n'a pas répondu en \3 s."),
    (r"(\S+ \(\S+\)) did not answer in time\.", r"\1 n'a pas répondu à temps."),
    (r"(\S+ \(\S+\)) cannot be reached(?: \(.*\))?\.", r"\1 est injoignable."),
    (
        r"(\S+ \(\S+\)) answered something that is not the OpenAI format\.",
        r"\1 a répondu autre chose que le format d'OpenAI.",
    ),
    (r"(\S+ \(\S+\)) does not accept the key\.", r"\1 n'accepte pas la clé."),
    (r"Offline mode: (.+) would leave this machine\.", r"Mode hors ligne : \1 quitterait cette machine."),
    (
        r"(\d+) entries in the list of (\S+) were left out: not names, twice there, or too many\.",
        r"\1 entrées de la liste de \2 ont été laissées de côté : pas des noms, en double, ou trop nombreuses.",
    ),
    (r"No key for (\S+)\.", r"Il manque la clé de \1."),
    (
        r"azure lists what it offers, not the deployments of an account: name yours yourself, as azure:<deployment>\.",
        "azure liste ce qu'il propose, pas les déploiements d'un compte : nommez le vôtre, comme azure:<déploiement>.",
    ),
    # Weights from the hub
    (r"Fetching (\S+): ([\d.]+) (G|M)B", r"Téléchargement de \1 : \2 \3o"),
    (
        r"Fetching (\S+): ([\d.]+) (G|M)B, ([\d.]+) (G|M)B of them still to come",
        r"Téléchargement de \1 : \2 \3o, dont \4 \5o à venir",
    ),
    (
        r"The weights of (\S+) are here already, or cannot be fetched beforehand\.",
        r"Les poids de \1 sont déjà ici, ou ne peuvent pas être téléchargés d'avance.",
    ),
    (r"It went wrong; the log tells more\.", "Cela a échoué ; le journal en dit plus."),
    (
        r"The weights of (\S+) are not on this machine, and it is set to stay offline\.",
        r"Les poids de \1 ne sont pas sur cette machine, et elle doit rester hors ligne.",
    ),
    (
        r"Choose a starter model, give the path of a local folder, or go online once to fetch it\.",
        "Choisissez un modèle de départ, donnez un dossier local, ou passez une fois en ligne pour le télécharger.",
    ),
    (
        r"(\S+) could not be fetched: the hub cannot be reached\.",
        r"\1 n'a pas pu être téléchargé : le hub est injoignable.",
    ),
    (r"(\S+) could not be fetched: the hub answered (\d+)\.", r"\1 n'a pas pu être téléchargé : le hub a répondu \2."),
    (r"(\S+) could not be fetched: (.+)\.", r"\1 n'a pas pu être téléchargé : \2."),
    (r"Try again later\.", "Réessayez plus tard."),
    (r"Check the network and try again\.", "Vérifiez le réseau et réessayez."),
    (
        r"Check the network and try again; it goes on where it stopped\.",
        "Vérifiez le réseau et réessayez ; cela reprend où cela s'est arrêté.",
    ),
    (r"(\S+) is gated\.", r"L'accès à \1 se demande."),
    (
        r"Accept its licence on the hub and set HF_TOKEN, or choose another\.",
        "Acceptez sa licence sur le hub et réglez HF_TOKEN, ou choisissez-en un autre.",
    ),
    (r"There is no model (\S+) on the hub\.", r"Il n'y a pas de modèle \1 sur le hub."),
    (r"Check the name, or give a local folder\.", "Vérifiez le nom, ou donnez un dossier local."),
    (
        r"(\S+) holds no files of the kind that is needed \((.+)\)\.",
        r"\1 ne contient pas les fichiers qu'il faut (\2).",
    ),
    (r"Choose another model\.", "Choisissez un autre modèle."),
    (
        r"(\S+) is being fetched by another process already\.",
        r"\1 est déjà en cours de téléchargement par un autre processus.",
    ),
    (r"Wait for it, then try again\.", "Attendez-le, puis réessayez."),
    (
        r"(\S+) came damaged: its checksum does not match\.",
        r"\1 est arrivé endommagé : sa somme de contrôle ne correspond pas.",
    ),
    (r"Try again; it is fetched anew\.", "Réessayez ; il est téléchargé de nouveau."),
    (r"(\S+) is not given to everybody \((\d+)\)\.", r"\1 n'est pas donné à tout le monde (\2)."),
    (r"(\S+) is not on the server \((\d+)\)\.", r"\1 n'est pas sur le serveur (\2)."),
    (r"Check the name of the model\.", "Vérifiez le nom du modèle."),
    (r"(.+) has (\S+) GB free and needs (\S+) GB\.", r"\1 a \2 Go libres et il en faut \3."),
    (r"(.+) cannot be (?:written|made): (.+)\.", r"\1 ne peut pas être écrit : \2."),
    (r"(.+) could not be written to (.+): (.+)\.", r"\1 n'a pas pu être écrit dans \2 : \3."),
    (
        r"Free some space or set ASSISTANT_HOME to a folder on another disk(.*)\.",
        "Libérez de la place ou réglez ASSISTANT_HOME sur un autre disque, puis réessayez.",
    ),
    (r"Free some space, then try again\.", "Libérez de la place, puis réessayez."),
    (r"Set ASSISTANT_HOME to another folder\.", "Réglez ASSISTANT_HOME sur un autre dossier."),
)
