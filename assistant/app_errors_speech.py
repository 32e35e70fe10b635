"""What recognisers, voices and recordings say to a person, in French: patterns of the English lines, whole."""

from __future__ import annotations

_RECORDING = " Envoyez un enregistrement ou une vidéo avec du son."
_LOCAL = "choisissez un modèle de cette machine"

SPEECH: tuple[tuple[str, str], ...] = (
    # Recordings
    (r"(.+) holds no sound that can be read\..*", rf"\1 ne contient aucun son lisible.{_RECORDING}"),
    (r"(.+) has no sound in it\..*", r"\1 est sans son. Envoyez un enregistrement avec une piste audio."),
    (
        r"(.+) cannot be opened: (.+)\. Check the path\.",
        r"\1 ne s'ouvre pas : \2. Vérifiez que le fichier est encore là.",
    ),
    (
        r"(.+) cannot be read: (.+)\. Check the path and try again\.",
        r"\1 ne se lit pas : \2. Vérifiez-le et réessayez.",
    ),
    (
        r"(.+) is empty \(0 bytes\)\. Record or copy it again\.",
        r"\1 est vide (0 octet). Enregistrez-le ou copiez-le de nouveau.",
    ),
    (
        r"(.+) is not a recording: its content is (\S+)\..*",
        rf"\1 n'est pas un enregistrement : son contenu est \2.{_RECORDING}",
    ),
    (
        r"(.+) is damaged or cut off: its (\S+) index or header is missing\..*",
        rf"\1 est abîmé ou tronqué : l'index ou l'en-tête \2 manque.{_RECORDING}",
    ),
    (
        r"(.+) is not a recording, or its header is damaged\..*",
        rf"\1 n'est pas un enregistrement, ou son en-tête est abîmé.{_RECORDING}",
    ),
    # Recognisers
    (
        r"The model does not know the language (.+)\. It takes (?:only )?(?:codes such as )?(.+); or leave it out\.",
        r"Le modèle ne connaît pas la langue \1. Il connaît \2 ; ou laissez-la de côté.",
    ),
    (
        r"(.+) does not translate\. .*",
        r"\1 ne traduit pas. Choisissez whisper-1 ou faster-whisper, ou renoncez à la traduction.",
    ),
    (r"(\S+) knows no (?:model|voice) (.+)\. Known: .*", r"\1 ne connaît pas \2. Choisissez-en un autre."),
    (
        r"The weights of (.+) are not on this machine, and it is set to stay offline\. .*",
        rf"Les poids de \1 ne sont pas sur cette machine, et elle doit rester hors ligne : {_LOCAL} qui est là.",
    ),
    (
        r"(.+) could not be fetched: (.+)\. Check network and disk\.",
        r"\1 n'a pas pu être téléchargé : \2. Vérifiez le réseau et le disque.",
    ),
    (r"(.+) cannot run as (\S+)(?::| on).*", r"\1 ne fonctionne pas en \2. Choisissez un autre compute_type."),
    (
        r"(.+) ran out of memory\. .*",
        r"\1 a manqué de mémoire. Choisissez un plus petit modèle, ou réglez son device sur cpu.",
    ),
    (
        r"The starter model (\S+) is not installed \((.+) is missing\)\. Run `(.+)`, which .*",
        r"Le modèle \1 n'est pas installé (il manque \2). Lancez `\3`.",
    ),
    (
        r"The starter model (\S+) is damaged: .*",
        r"Le modèle \1 est abîmé : sa somme de contrôle ne correspond pas. Réinstallez-le (make install), puis réessayez.",
    ),
    (r"Stopped before the recording was read\.", "Arrêté avant que l'enregistrement soit lu."),
    (r"The transcription was stopped\.", "La transcription a été arrêtée."),
    (r"The speakers were not told apart: it was stopped\.", "Les voix n'ont pas été distinguées : c'est arrêté."),
    # Hosted ones
    (
        r"(.+) answered something that is not the OpenAI format\. .*",
        r"La réponse de \1 n'est pas au format OpenAI. Vérifiez que base_url mène à l'API (elle finit souvent par /v1).",
    ),
    (r"(.+) reported a failure: (.+)\. Try again\.", r"\1 signale une erreur : \2. Réessayez."),
    (
        r"(.+) failed with status (\d+): (.+)\. Try again in a moment\.",
        r"\1 a échoué (\2) : \3. Réessayez dans un instant.",
    ),
    (r"(.+) does not accept the key\. Check (\S+) in \.env and .*", r"\1 n'accepte pas la clé. Vérifiez \2 dans .env."),
    (r"(.+) does not allow this: (.+)\. Check (\S+) in \.env .*", r"\1 ne le permet pas : \2. Vérifiez \3 dans .env."),
    (r"(.+) does not offer this: (.+)\. .*", r"\1 ne propose pas cela : \2. Choisissez un autre serveur pour cela."),
    (
        r"(.+) has no model (\S+): (.+)\. .*",
        r"\1 n'a pas le modèle \2 : \3. Vérifiez son nom, ou ajoutez-le sur ce serveur.",
    ),
    (
        r"(.+) has no (/\S+)\. .*",
        r"\1 n'a pas \2. Vérifiez base_url (elle finit souvent par /v1) et que le serveur le propose.",
    ),
    (
        r"(.+) cannot use this request \((\d+)\): (.+)\. .*",
        r"\1 refuse cette demande (\2) : \3. Changez-la et réessayez.",
    ),
    (r"(.+) declined this for its content policy\. .*", r"\1 l'a refusé pour son contenu. Dites-le autrement."),
    (r"The account of (.+) has no credit left\. .*", rf"Le compte de \1 n'a plus de crédit. Ajoutez-en, ou {_LOCAL}."),
    (
        r"Offline mode: (.+) would leave this machine\. .*",
        rf"Hors ligne : \1 sortirait de cette machine. Sinon, {_LOCAL}.",
    ),
    # Voices
    (
        r"No voice is installed\. .*",
        "Aucune voix n'est installée. Lancez `make voice`, ou réglez ASSISTANT_VOICE=openai:gpt-4o-mini-tts.",
    ),
    # Who spoke
    (
        r"A speaker's name has 1 to (\d+) letters\. Choose another\.",
        r"Le nom d'un intervenant a de 1 à \1 lettres. Choisissez-en un autre.",
    ),
    (
        r"The speakers of this recording are not told apart yet\. .*",
        "Les voix de cet enregistrement ne sont pas encore distinguées. Commencez par là.",
    ),
    # What goes on meanwhile
    (r"Loading (.+)", r"Chargement de \1"),
    (r"Preparing (.+)", r"Préparation de \1"),
    (
        r"Fetching (\S+): ([\d.]+) (.)B, ([\d.]+) (.)B of them still to come",
        r"Téléchargement de \1 : \2 \3o, dont \4 \5o encore à venir",
    ),
    (r"Fetching (\S+): about ([\d.]+) (.)B", r"Téléchargement de \1 : environ \2 \3o"),
    (r"Fetching (\S+): ([\d.]+) (.)B", r"Téléchargement de \1 : \2 \3o"),
    (r"Fetching (.+)", r"Téléchargement de \1"),
    (r"Reading", "Lecture"),
)
