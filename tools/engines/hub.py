"""Weights from the Hugging Face hub, only for a model that was asked for by name and only when the machine may go online.

A folder that stands under its final name is whole: it is filled aside and renamed, and a broken download goes on where it stopped.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tools.engines.base import EngineOptions
from tools.engines.errors import ModelNotFound, NoDiskSpace, Refused, Unreachable


def hub_folder(repo: str, options: EngineOptions, *, allow: Sequence[str], ignore: Sequence[str] = ()) -> Path:
    """The folder with the files of `repo` ("owner/name") that match `allow` and not `ignore`, fetched on the first call.

    Raises: ModelNotFound (offline, or no such repository), Refused (gated), Unreachable, NoDiskSpace.
    """
    folder = options.models / "hub" / repo.replace("/", "--")
    if folder.is_dir():
        return folder
    if options.offline:
        raise ModelNotFound(
            f"The weights of {repo} are not on this machine, and it is set to stay offline.",
            "Choose a starter model, give the path of a local folder, or go online once to fetch it.",
        )
    aside = folder.with_name(f"{folder.name}.part")
    options.on_load(f"Fetching {repo}", None)
    _fetch(repo, aside, allow, ignore)
    aside.replace(folder)
    return folder


def _fetch(repo: str, aside: Path, allow: Sequence[str], ignore: Sequence[str]) -> None:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import httpx
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        aside.mkdir(parents=True, exist_ok=True)
        snapshot_download(repo, local_dir=aside, allow_patterns=list(allow), ignore_patterns=list(ignore))
    except GatedRepoError as error:
        raise Refused(
            f"{repo} is gated.", "Accept its licence on the hub and set HF_TOKEN, or choose another."
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ModelNotFound(
            f"There is no model {repo} on the hub.", "Check the name, or give a local folder."
        ) from error
    except LocalEntryNotFoundError as error:
        raise Unreachable(
            f"{repo} could not be fetched: the hub cannot be reached.", "Check the network and try again."
        ) from error
    except (HfHubHTTPError, httpx.HTTPError) as error:
        raise Unreachable(
            f"{repo} could not be fetched: {error}", "Check the network and try again; it goes on where it stopped."
        ) from error
    except OSError as error:
        raise NoDiskSpace(
            f"{repo} could not be written to {aside}: {error}", "Free some space, then try again."
        ) from error
