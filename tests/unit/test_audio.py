"""Decoding: what is read, what is refused, and what is said about the part that is missing."""

from __future__ import annotations

import tracemalloc
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from tests.sound import CODECS, RATE_HZ, cut, record, silence, tone
from tools.engines.audio import SAMPLE_RATE_HZ, WINDOW_S, Recording, quiet_cut, speech_in
from tools.engines.errors import BadInput

INDEX_FIRST = {"movflags": "faststart"}
IN_FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": "1000000"}
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000a49444154789c6360000000020001e221bc33"
    "0000000049454e44ae426082"
)


@pytest.mark.parametrize("ending", CODECS)
def test_every_format_is_read_whole_and_without_a_warning(tmp_path: Path, ending: str) -> None:
    recording = Recording(record(tmp_path / f"a{ending}", tone(5)))
    samples = np.concatenate([w.samples for w in recording.windows()])
    assert samples.dtype == np.float32
    assert abs(len(samples) / SAMPLE_RATE_HZ - 5) < 0.15
    assert recording.warning() == ""


@pytest.mark.parametrize("ending", [".wav", ".mp3", ".flac", ".ogg", ".webm"])
def test_a_file_that_was_cut_off_is_read_and_said_to_be_cut(tmp_path: Path, ending: str) -> None:
    noisy = tone(8) * np.linspace(0.1, 1, 8 * RATE_HZ, dtype=np.float32)
    recording = Recording(cut(record(tmp_path / f"a{ending}", noisy)))
    read_s = sum(w.seconds for w in recording.windows())
    assert 2 < read_s < 7
    assert "cut off" in recording.warning()
    assert f"{recording.read_s:.1f} s" in recording.warning()


@pytest.mark.parametrize(
    ("ending", "options"),
    [(ending, {}) for ending in (".wav", ".mp3", ".flac", ".ogg", ".opus", ".webm", ".mkv", ".aac", ".aiff")]
    + [(".webm", {"live": "1"}), (".m4a", INDEX_FIRST), (".mp4", INDEX_FIRST), (".m4a", IN_FRAGMENTS)],
)
def test_wherever_a_file_was_cut_off_it_says_how_much_was_read(
    tmp_path: Path, ending: str, options: dict[str, str]
) -> None:
    whole = record(tmp_path / f"a{ending}", tone(20) * np.linspace(0.1, 1, 20 * RATE_HZ, dtype=np.float32), **options)
    before = 0.0
    for place in range(1, 11):
        recording = Recording(cut(whole, place / 10.5))
        read_s = sum(window.seconds for window in recording.windows())
        assert before < read_s < 19.5
        assert "cut off" in recording.warning() and f"{read_s:.1f} s" in recording.warning()
        before = read_s


def test_telephone_sound_in_stereo_is_read(tmp_path: Path) -> None:
    sound = (np.stack([tone(2)[::2], silence(2)[::2]], axis=1) * 32767).astype("<i2")
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
        file.writeframes(sound.tobytes())
    (window,) = Recording(tmp_path / "a.wav").windows()
    assert window.seconds == pytest.approx(2, abs=0.01)
    assert 0.1 < np.abs(window.samples).max() < 0.4


@pytest.mark.parametrize("ending", sorted(CODECS.keys() - {".aac"}))  # its two frames could be anything
def test_a_twentieth_of_a_second_is_a_recording(tmp_path: Path, ending: str) -> None:
    recording = Recording(record(tmp_path / f"a{ending}", tone(0.05)))
    assert 0.02 < sum(window.seconds for window in recording.windows()) < 0.25
    assert recording.warning() == ""


@pytest.mark.parametrize(
    ("ending", "codec"), [(".mp4", "aac"), (".mkv", "aac"), (".avi", "pcm_s16le"), (".mov", "aac")]
)
def test_the_sound_of_a_film_is_read(tmp_path: Path, ending: str, codec: str) -> None:
    path = record(tmp_path / "sound.wav", tone(2))
    with av.open(str(tmp_path / f"film{ending}"), "w") as film, av.open(str(path)) as source:
        picture, sound = film.add_stream("mpeg4", rate=10), film.add_stream(codec, rate=RATE_HZ, layout="mono")
        picture.width = picture.height = 64
        picture.pix_fmt = "yuv420p"
        for _ in range(20):
            film.mux(picture.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        film.mux(picture.encode(None))
        for frame in source.decode(audio=0):
            film.mux(sound.encode(frame))
        film.mux(sound.encode(None))
    recording = Recording(tmp_path / f"film{ending}")
    assert sum(window.seconds for window in recording.windows()) == pytest.approx(2, abs=0.15)
    assert recording.warning() == ""


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.wav", b"", "0 bytes"),
        ("header.wav", b"RIFF\x24\x00\x00\x00WAVEfmt ", "damaged or cut off"),
        ("text.mp3", b"This is a letter, not a song.\n" * 300, "no sound|not a recording"),
        ("picture.wav", PNG, "image/png"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n", "not a recording"),
    ],
)
def test_what_is_no_recording_is_refused_with_the_reason(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=reason):
        list(Recording(tmp_path / name).windows())


@pytest.mark.parametrize("ending", [".m4a", ".mp4", ".3gp"])
def test_where_the_index_stands_at_the_end_a_cut_file_is_refused(tmp_path: Path, ending: str) -> None:
    whole = record(tmp_path / f"a{ending}", tone(5))
    for place in range(1, 11):
        with pytest.raises(BadInput, match="cut off"):
            list(Recording(cut(whole, place / 10.5)).windows())


def test_a_damaged_place_in_the_middle_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    path = record(tmp_path / "a.amr", tone(10))
    content = bytearray(path.read_bytes())
    content[3206:3238] = b"\xff" * 32
    path.write_bytes(content)
    recording = Recording(path)
    assert sum(window.seconds for window in recording.windows()) > 9
    assert "damaged" in recording.warning() and "cut off" not in recording.warning()


def test_a_film_without_sound_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "film.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        container.mux(stream.encode(None))
    with pytest.raises(BadInput, match="no sound"):
        Recording(tmp_path / "film.mp4")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be opened"):
        Recording(tmp_path / "none.wav")


def test_a_header_without_sound_is_refused_while_reading(tmp_path: Path) -> None:
    whole = record(tmp_path / "a.wav", tone(1)).read_bytes()
    (tmp_path / "b.wav").write_bytes(whole[: whole.index(b"data") + 8])
    with pytest.raises(BadInput, match="no sound"):
        list(Recording(tmp_path / "b.wav").windows())


def test_windows_are_cut_where_it_is_quiet_and_lose_nothing(tmp_path: Path) -> None:
    parts = [tone(7), silence(1), tone(7), silence(1), tone(4)]
    windows = list(Recording(record(tmp_path / "a.wav", np.concatenate(parts))).windows(longest_s=10))
    assert [round(w.start_s) for w in windows] == [0, 8, 16]
    assert sum(len(w.samples) for w in windows) == 20 * RATE_HZ
    assert all(np.abs(w.samples[-100:]).max() < 0.01 for w in windows[:-1])


def test_a_long_recording_is_never_held_whole(tmp_path: Path) -> None:
    path = record(tmp_path / "a.flac", np.tile(tone(60), 10))
    tracemalloc.start()
    longest = max(w.seconds for w in Recording(path).windows(longest_s=30))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert longest <= 30
    assert peak < 10 * 60 * RATE_HZ * 4 / 4


def test_three_hours_are_read_in_the_memory_of_a_few_windows(tmp_path: Path) -> None:
    """A minute of sound, and then nothing; of 10 s a packet, so that reading it is quick."""
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        for number in range(3 * 360):
            sound = tone(10)[::2] if number < 6 else np.zeros(80_000, np.float32)
            frame = av.AudioFrame.from_ndarray((sound * 32767).astype(np.int16)[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts = 8000, number * 80_000
            container.mux(stream.encode(frame))
    tracemalloc.start()
    read_s = sum(window.seconds for window in Recording(tmp_path / "a.mkv").windows())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read_s == pytest.approx(3 * 3600, abs=0.1)
    assert peak < 4 * WINDOW_S * SAMPLE_RATE_HZ * 4


def test_music_is_not_taken_for_speech() -> None:
    """Chords of decaying harmonics, two a second, as of a piano."""
    at = np.arange(int(0.5 * RATE_HZ)) / RATE_HZ
    chords = [
        sum(np.sin(2 * np.pi * note * n * at) / n for note in (root, root * 1.25, root * 1.5) for n in range(1, 5))
        for root in (220.0, 261.6, 196.0, 293.7) * 10
    ]
    music = np.concatenate([0.1 * np.exp(-4 * at) * chord for chord in chords]).astype(np.float32)
    assert len(speech_in(music)[0]) == 0


def test_reading_ends_when_it_is_stopped(tmp_path: Path) -> None:
    recording = Recording(record(tmp_path / "a.wav", tone(30)))
    assert sum(w.seconds for w in recording.windows(lambda: recording.read_s > 5)) < 6
    assert not recording.complete


def test_the_cut_falls_into_the_last_pause() -> None:
    samples = np.concatenate([tone(3), silence(0.5), tone(3), silence(0.5), tone(1)])
    assert 6.5 <= quiet_cut(samples, 8) / RATE_HZ <= 7.0


def test_a_clip_shorter_than_a_pause_is_not_cut() -> None:
    assert quiet_cut(tone(0.2)) == int(0.2 * RATE_HZ)
