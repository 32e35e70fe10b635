"""Speaks in a process of its own, because the package piper-tts is under the GPL: run by piper.py, imported by nobody.

Standard input takes a text a line. Standard output gives the sample rate first, then for each text its pieces, each a length and
so many bytes of signed 16-bit samples, and a length of 0. Numbers take four bytes, little-endian.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from pathlib import Path


def main(model: Path, threads: int) -> None:
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not get between the samples

    import onnxruntime
    from piper.config import PiperConfig
    from piper.voice import PiperVoice

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    config = PiperConfig.from_dict(json.loads(Path(f"{model}.json").read_text("utf-8")))
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    voice = PiperVoice(session=session, config=config)
    out.write(struct.pack("<I", config.sample_rate))
    out.flush()
    for line in sys.stdin:
        for chunk in voice.synthesize(line.strip()):
            pcm = chunk.audio_int16_bytes
            out.write(struct.pack("<I", len(pcm)) + pcm)
            out.flush()
        out.write(struct.pack("<I", 0))
        out.flush()


if __name__ == "__main__":
    sys.stdin.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    main(Path(sys.argv[1]), int(sys.argv[2]))
