"""The folder of a pipeline before it is opened: nothing in it may run code, its weights must be whole, and do they fit?

The headers of safetensors files tell how many numbers each part has, so that memory is planned without loading anything.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tools.engines.device import CPU
from tools.engines.diffusers_models import Family
from tools.engines.errors import BadInput, EngineError, ModelNotFound, OutOfMemory

PICKLED = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
LARGEST_HEADER = 100_000_000
"""Bytes; what the safetensors format itself allows."""
ROOM = 1.15
"""Beside the weights themselves: what one step needs, as a share of them."""
DECODING_BYTES_A_PIXEL = 2_500
"""What the decoder of a picture keeps at a time in 32-bit numbers: about 2.6 GB at 1024×1024 for the autoencoder of SD 1.5."""

Mode = Literal["whole", "parts", "layers"]


@dataclass(frozen=True)
class Plan:
    """How weights are held: the type of their numbers, and on a GPU whether whole, or moved there part by part or layer by
    layer while they are used."""

    dtype: str
    mode: Mode = "whole"


def check_folder(folder: Path) -> None:
    """Refuse what would run code when opened, and weights that are cut off. Raises: ModelNotFound."""
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        components = {k: v for k, v in index.items() if isinstance(v, list)}
        class_name = index["_class_name"]
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ModelNotFound(
            f"{folder} is not a diffusers pipeline: it has no readable model_index.json.", "Give a pipeline's folder."
        ) from error
    code = [str(v[0]) for v in components.values() if v and v[0] and (folder / f"{v[0]}.py").exists()]
    if not isinstance(class_name, str) or code or any(folder.glob("*/*.py")):
        raise ModelNotFound(
            f"{folder.name} brings Python code of its own, which is never run.",
            "Choose a pipeline without custom code.",
        )
    for name in (n for n in components if (folder / n).is_dir() and n != "safety_checker"):
        pickled = [f.name for f in (folder / name).iterdir() if f.suffix in PICKLED]
        if pickled and not any((folder / name).glob("*.safetensors")):
            raise ModelNotFound(
                f"{name}/{pickled[0]} in {folder.name} is a pickle file, which can run code when opened.",
                "Use weights in safetensors format: convert them, or choose another copy of the model.",
            )
    parameters(folder)


def parameters(folder: Path) -> dict[str, int]:
    """How many numbers the weights of each part hold, by its name. Raises: ModelNotFound for a file that is cut off."""
    counted: dict[str, int] = {}
    for file in sorted(folder.glob("*/*.safetensors")):
        if file.parent.name != "safety_checker":
            try:
                tensors = read_header(file)
            except ValueError as error:
                raise ModelNotFound(
                    f"{file.parent.name}/{file.name} in {folder.name} {error}.", "Fetch it again."
                ) from error
            numbers = sum(math.prod(tensor["shape"]) for tensor in tensors.values())
            counted[file.parent.name] = counted.get(file.parent.name, 0) + numbers
    return counted


def read_header(file: Path) -> Mapping[str, Any]:
    """{name: {"dtype", "shape", "data_offsets"}} of a safetensors file.

    Format: https://huggingface.co/docs/safetensors. Raises: ValueError that says what is wrong with the file.
    """
    there = file.stat().st_size
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            if not 2 <= length <= min(LARGEST_HEADER, there):
                raise ValueError("no header")
            header = json.loads(opened.read(length))
        header.pop("__metadata__", None)
        whole = 8 + length + max((tensor["data_offsets"][1] for tensor in header.values()), default=0)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError("holds no weights in safetensors format, or is damaged") from error
    if there < whole:
        raise ValueError(f"is cut off: {there:,} of {whole:,} bytes are there")
    return header  # type: ignore[no-any-return]


def read_lora(file: Path) -> dict[str, Any]:
    """The tensors of a LoRA by name. Raises: BadInput."""
    if file.suffix.lower() != ".safetensors":
        why = "is a pickle file, which can run code when opened" if file.suffix.lower() in PICKLED else "is no LoRA"
        raise BadInput(f"{file.name} {why}.", "Give LoRA weights as a .safetensors file.")
    if not file.is_file():
        raise BadInput(f"There is no file {file}.", "Give the path of a LoRA in safetensors format.")
    try:
        read_header(file)
    except ValueError as error:
        raise BadInput(f"{file.name} {error}.", "Fetch it again.") from error
    from safetensors.torch import load_file

    return dict(load_file(file))


def plan(
    counted: Mapping[str, int], device: str, free_bytes: int, family: Family, wanted: str | None, bfloat16: bool = True
) -> Plan:
    """How the weights are best held in `free_bytes` of `device`: in full precision on a CPU where that fits, else in half.

    Raises: OutOfMemory where they do not fit in any way.
    """
    total, largest = sum(counted.values()), max(counted.values(), default=0)
    if device == CPU:
        for dtype in [wanted] if wanted else ["float32", "bfloat16"]:
            if _size(total, dtype) * ROOM <= free_bytes:
                return Plan(dtype)
        raise _too_large(total, wanted or "bfloat16", free_bytes)
    dtype = wanted or (family.dtype if family.dtype != "bfloat16" or bfloat16 else "float32")
    ways: tuple[tuple[Mode, float], ...] = (("whole", total), ("parts", largest), ("layers", largest / 8))
    for mode, numbers in ways:
        if _size(numbers, dtype) * ROOM <= free_bytes:
            return Plan(dtype, mode)
    raise _too_large(largest / 8, dtype, free_bytes)


def least_bytes(counted: Mapping[str, int], device: str) -> int:
    """What the most frugal way of holding them takes."""
    numbers = sum(counted.values()) if device == CPU else max(counted.values(), default=0) / 8
    return int(_size(numbers, "float16") * ROOM)


def decodes_in_tiles(size: tuple[int, int], free_bytes: int) -> bool:
    """Whether the picture is better decoded in tiles, which takes a little longer and much less memory."""
    return size[0] * size[1] * DECODING_BYTES_A_PIXEL > free_bytes


def _size(numbers: float, dtype: str) -> float:
    return numbers * (4 if dtype == "float32" else 2)


def _too_large(numbers: float, dtype: str, free_bytes: int) -> EngineError:
    return OutOfMemory(
        f"The picture model needs {_size(numbers, dtype) * ROOM / 1e9:.1f} GB of memory and {free_bytes / 1e9:.1f} GB"
        " are free.",
        "Close other programs or choose a smaller model.",
    )
