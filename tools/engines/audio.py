"""Sound out of any audio or video file, decoded a window at a time, so that length never decides how much memory it takes.

Knows files and samples, never models. Samples are mono float32 at 16 kHz, between -1 and 1.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tools.engines.errors import BadInput

SAMPLE_RATE_HZ = 16_000
WINDOW_S = 600
LONGEST_S = 12 * 3600
CUT_SEARCH_S = 60.0
QUIET_S = 0.3
TAIL_BYTES = 1 << 17
# Whatever ends this much before its announced end was cut off; encoders pad and round by less.
SLACK_S = 0.6

# Containers of sound and film. Playlists are left out: they make the decoder open other files and addresses.
CONTAINERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,eac3,flac,flv,m4v,matroska,mov,mp3,mpeg,mpegts,ogg,rm,tta,voc,w64,wav,webm,wv"
)
# Their announced length comes from the header; elsewhere it is guessed from the size of the file.
_ANNOUNCE_LENGTH = ("matroska", "mov", "flac", "aiff", "asf", "caf", "w64", "avi")
_MATROSKA_PARENTS = (b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75")
"""Segment and Cluster, which hold what is recorded."""


@dataclass(frozen=True)
class Window:
    """Samples of shape (n,) that begin `start_s` seconds into the recording."""

    start_s: float
    samples: np.ndarray

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE_HZ


class Recording:
    """One file's sound. `read_s` grows while the windows are drawn, up to the last one, when `complete` turns true.
    `declared_s` is None where the file does not tell its length."""

    def __init__(self, path: Path) -> None:
        """Raises: BadInput (no sound in it, damaged, empty, not there)."""
        self.path = path
        self.complete = False
        self._samples = 0
        self._reached_s = 0.0
        self._damaged = 0
        self._breaks_off = False
        self._capped = False
        with _opened(path) as container:
            self.declared_s, self._of_stream = _declared_length(path, container)
            self._cut = _ends_early(path, container.format.name)

    @property
    def read_s(self) -> float:
        return self._samples / SAMPLE_RATE_HZ

    def windows(self, stopped: Callable[[], bool] = lambda: False, longest_s: float = WINDOW_S) -> Iterator[Window]:
        """The recording in pieces of at most `longest_s`, each cut where it is quiet. Ends early once `stopped()`.

        Raises: BadInput (nothing in the file could be decoded).
        """
        limit = int(longest_s * SAMPLE_RATE_HZ)
        self._samples, self.complete, self._damaged, self._breaks_off = 0, False, 0, False
        start, held, count = 0, list[np.ndarray](), 0
        for block in self._blocks(stopped):
            held.append(block)
            count += len(block)
            while count >= limit:
                samples = np.concatenate(held)
                cut = quiet_cut(samples[:limit])
                yield Window(start / SAMPLE_RATE_HZ, samples[:cut])
                start, held, count = start + cut, [samples[cut:].copy()], count - cut
        if not self.read_s and not stopped():
            raise BadInput(
                f"{self.path.name} holds no sound that can be read: it is empty, damaged or cut off.", _REMEDY
            )
        self.complete = not stopped()
        if count:
            yield Window(start / SAMPLE_RATE_HZ, np.concatenate(held))

    def warning(self) -> str:
        """What was not read, in words; empty when everything was. Complete once all windows were drawn."""
        read = clock(self.read_s)
        reached = self.read_s if self._of_stream else max(self._reached_s, self.read_s)
        if self._capped:
            return f"Only the first {clock(LONGEST_S)} of the recording were read; the rest is not used."
        if self.declared_s and reached < self.declared_s - max(SLACK_S, self.declared_s * 0.005):
            return f"The file is cut off: {read} of {clock(self.declared_s)} could be read."
        if self._cut or self._breaks_off:
            return f"The file is cut off: it breaks off after {read}."
        if self._damaged:
            places = "1 damaged place was" if self._damaged == 1 else f"{self._damaged} damaged places were"
            return f"{places} left out; {read} could be read."
        return ""

    def _blocks(self, stopped: Callable[[], bool]) -> Iterator[np.ndarray]:
        import av

        with _opened(self.path) as container:
            resampler: Any = None
            for frame in self._frames(container):
                if stopped():
                    return
                frame.pts = None
                try:
                    resampler = resampler or _resampler()
                    pieces = resampler.resample(frame)
                except ValueError:  # rate or channels changed on the way
                    resampler = _resampler()
                    pieces = resampler.resample(frame)
                yield from self._counted(pieces)
                if self.read_s >= LONGEST_S:
                    self._capped = True
                    return
            if resampler is not None:
                try:
                    yield from self._counted(resampler.resample(None))
                except av.error.FFmpegError:
                    self._damaged += 1

    def _counted(self, pieces: list[Any]) -> Iterator[np.ndarray]:
        for piece in pieces:
            self._samples += piece.samples
            yield piece.to_ndarray()[0].astype(np.float32) / 32768

    def _frames(self, container: Any) -> Iterator[Any]:
        import av

        sound = container.streams.audio[0]
        packets = container.demux(*(s for s in container.streams if s.type in ("audio", "video")))
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError:
                self._found_damage()
                return
            if packet.pts is not None and packet.time_base:
                self._reached_s = max(self._reached_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            if packet.stream_index != sound.index:
                continue
            try:
                for frame in packet.decode():
                    self._breaks_off = False
                    yield frame
            except av.error.FFmpegError:
                self._found_damage()

    def _found_damage(self) -> None:
        """What is damaged with nothing behind it was cut off there."""
        self._damaged += 1
        self._breaks_off = True


class SpokenTimes:
    """The way back from seconds in what `speech_in` kept to seconds in the samples it came from."""

    def __init__(self, chunks: list[dict[str, int]]) -> None:
        from faster_whisper.vad import SpeechTimestampsMap

        self._map = SpeechTimestampsMap(chunks, SAMPLE_RATE_HZ)
        self._kept_s = sum(chunk["end"] - chunk["start"] for chunk in chunks) / SAMPLE_RATE_HZ

    def segment(self, start_s: float, end_s: float) -> tuple[float, float]:
        """A segment may span a silence; one that ends where a silence begins does not."""
        start, end = self._within(start_s), self._within(end_s)
        return self._map.get_original_time(start), self._map.get_original_time(end, is_end=True)

    def word(self, start_s: float, end_s: float) -> tuple[float, float]:
        """A word lies on one side of a silence, as in faster-whisper's own restore_speech_timestamps."""
        start, end = self._within(start_s), self._within(end_s)
        chunk = self._map.get_chunk_index((start + end) / 2)
        return self._map.get_original_time(start, chunk), self._map.get_original_time(end, chunk)

    def _within(self, time_s: float) -> float:
        return max(0.0, min(time_s, self._kept_s))


def speech_in(samples: np.ndarray) -> tuple[np.ndarray, SpokenTimes]:
    """The parts of `samples` where somebody speaks, joined, and the way back to the times in `samples`.

    Silero's voice detector, which ships with faster-whisper: on silence and noise Whisper invents words.
    """
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    chunks = get_speech_timestamps(samples, VadOptions())
    kept = [samples[chunk["start"] : chunk["end"]] for chunk in chunks]
    return np.concatenate(kept) if kept else np.zeros(0, np.float32), SpokenTimes(chunks)


def quiet_cut(samples: np.ndarray, search_s: float = CUT_SEARCH_S) -> int:
    """The index near the end of `samples` where cutting harms least: the middle of the quietest .3 s in the last `search_s`."""
    frame = int(QUIET_S * SAMPLE_RATE_HZ)
    frames = min(int(search_s * SAMPLE_RATE_HZ), len(samples)) // frame
    if frames < 1:
        return len(samples)
    tail = samples[len(samples) - frames * frame :].reshape(frames, frame)
    loudness = np.einsum("ij,ij->i", tail, tail)
    last_quietest = frames - 1 - int(np.argmin(loudness[::-1]))
    return len(samples) - (frames - last_quietest) * frame + frame // 2


def clock(seconds: float) -> str:
    """`75.4` as "1:15"; below a minute with a decimal, "7.1 s"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _resampler() -> Any:
    """To 16 bits, as faster-whisper and openai-whisper decode: the last bit decides where a text is doubtful."""
    import av

    return av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    import av

    try:
        size = path.stat().st_size
    except OSError as error:
        raise BadInput(f"{path.name} cannot be opened: {error.strerror}.", "Check the path.") from error
    if not size:
        raise BadInput(f"{path.name} is empty (0 bytes).", "Record or copy it again.")
    with path.open("rb") as file:
        try:
            container = av.open(file, options={"format_whitelist": CONTAINERS}, metadata_errors="replace")
        except (av.error.FFmpegError, ValueError) as error:
            raise BadInput(_why_unreadable(path), _REMEDY) from error
        with container:
            if not container.streams:
                raise BadInput(_why_unreadable(path), _REMEDY)
            if not container.streams.audio:
                raise BadInput(f"{path.name} has no sound in it.", "Send a recording with an audio track.")
            yield container


def _why_unreadable(path: Path) -> str:
    import filetype

    kind = filetype.guess(str(path))
    if kind and kind.mime.split("/")[0] not in ("audio", "video"):
        return f"{path.name} is not a recording: its content is {kind.mime}."
    if kind:
        return f"{path.name} is damaged or cut off: its {kind.extension} index or header is missing."
    return f"{path.name} is not a recording, or its header is damaged."


def _declared_length(path: Path, container: Any) -> tuple[float | None, bool]:
    """Seconds the file announces, and whether they are the sound's own (else the longest track's)."""
    name, stream = container.format.name, container.streams.audio[0]
    if name == "wav":
        return _wav_length(path) or _stream_length(stream), True
    if stream.duration:
        trusted = any(n in name for n in _ANNOUNCE_LENGTH) or (name == "mp3" and _mp3_tells_length(path))
        return (_stream_length(stream) if trusted else None), True
    if container.duration and any(n in name for n in _ANNOUNCE_LENGTH):
        return container.duration / 1e6, False
    return None, False


def _stream_length(stream: Any) -> float | None:
    return float(stream.duration * stream.time_base) if stream.duration else None


def _wav_length(path: Path) -> float | None:
    """Seconds by the data chunk's own size, which the decoder replaces by what is there. RIFF/WAVE; None when streamed."""
    with path.open("rb") as file:
        if file.read(12)[8:] != b"WAVE":
            return None
        bytes_per_s = 0
        while len(head := file.read(8)) == 8:
            name, size = head[:4], struct.unpack("<I", head[4:])[0]
            if name == b"data":
                return size / bytes_per_s if bytes_per_s and 0 < size < 0xFFFFFF00 else None
            if name == b"fmt " and size >= 16:
                bytes_per_s = struct.unpack("<I", file.read(size)[8:12])[0]
            else:
                file.seek(size + size % 2, 1)
    return None


def _mp3_tells_length(path: Path) -> bool:
    """Whether the first frame is an index of the file (Xing, Info or VBRI)."""
    with path.open("rb") as file:
        head = file.read(10)
        tag = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=False))
        file.seek(10 + tag if head[:3] == b"ID3" else 0)
        first = file.read(4096)
    return any(mark in first for mark in (b"Xing", b"Info", b"VBRI"))


def _ends_early(path: Path, container: str) -> bool:
    """Whether the file lacks its end: of what announces no length, only the layout tells."""
    if container == "ogg":
        return _ogg_ends_early(path)
    return "matroska" in container and _matroska_ends_early(path)


def _ogg_ends_early(path: Path) -> bool:
    """Whether the end mark of the last page is missing (RFC 3533, section 6)."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27 or len(page) < 27 + page[26]:
        return True
    whole = 27 + page[26] + sum(page[27 : 27 + page[26]])
    return len(page) < whole or not page[5] & 0x04


def _matroska_ends_early(path: Path) -> bool:
    """Whether an element reaches beyond the end (RFC 8794, sections 4 to 6): a browser's recording announces no length."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at, size = 0, len(data)
        while at < size:
            id_bytes = 9 - data[at].bit_length()
            length_at = at + id_bytes
            length_bytes = 9 - data[length_at].bit_length() if length_at < size else 9
            begin = length_at + length_bytes
            if id_bytes > 4 or length_bytes > 8:
                return length_at >= size
            length = int.from_bytes(data[length_at:begin]) & ((1 << 7 * length_bytes) - 1)
            unknown = length == (1 << 7 * length_bytes) - 1
            if begin > size or (not unknown and begin + length > size):
                return True
            at = begin if unknown or data[at:length_at] in _MATROSKA_PARENTS else begin + length
    return False


_REMEDY = "Send a recording such as wav, mp3, m4a, ogg, flac, webm or mp4."
