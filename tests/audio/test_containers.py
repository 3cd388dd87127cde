import io
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from marble_eval.audio.containers import Mp3Frames, is_uncompressed, mp3_frames, shortfall


def lacking(data: bytes) -> str:
    return shortfall(io.BytesIO(data), len(data))


def page(flags: int, body: bytes) -> bytes:
    """An ogg page after RFC 3533; the checksum is left zero."""
    segments = bytes([255] * (len(body) // 255) + [len(body) % 255])
    return b"OggS\0" + bytes([flags]) + bytes(20) + bytes([len(segments)]) + segments + body


def test_wav_of_the_standard_library_lacks_what_is_cut() -> None:
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(2000))
    data = stream.getvalue()  # 44 bytes of header, as every plain wav
    assert lacking(data) == ""
    assert lacking(data + b"trailing") == ""
    assert lacking(data[:-2]) == "2042 of 2044 bytes"
    assert lacking(data[:44]) == "44 of 2044 bytes"


def test_chunks_of_odd_size_are_stepped_over_with_their_padding() -> None:
    odd = b"note" + struct.pack("<I", 3) + b"abc\0"
    data = b"RIFF\0\0\0\0WAVE" + odd + b"data" + struct.pack("<I", 100) + bytes(100)
    assert lacking(data) == ""
    assert lacking(data[:-1]) == "131 of 132 bytes"


def test_big_endian_chunks_are_measured_big_endian() -> None:
    sound = b"SSND" + struct.pack(">I", 100) + bytes(100)
    data = b"FORM" + struct.pack(">I", 4 + len(sound)) + b"AIFF" + sound
    assert lacking(data) == ""
    assert lacking(data[:-1]) == "119 of 120 bytes"
    little_sun = b"dns." + struct.pack("<5I", 24, 100, 3, 8000, 1)
    assert lacking(little_sun + bytes(60)) == "84 of 124 bytes"


def test_a_file_that_stops_before_its_samples_promises_nothing() -> None:
    assert lacking(b"RIFF\x24\0\0\0WAVEfmt ") == ""
    assert lacking(b".snd\0") == ""
    assert lacking(b"fLaC" + bytes(100)) == ""


def test_an_ogg_ends_with_a_marked_and_whole_page() -> None:
    whole = page(2, b"a" * 300) + page(0, b"b" * 300) + page(4, b"c" * 300)
    assert lacking(whole) == ""
    assert lacking(whole + b"trailing junk") == ""
    for cut in (len(whole) - 1, len(whole) - 310, len(whole) - 400, 10):
        assert lacking(whole[:cut]) == "no last ogg page ends the stream"
    assert "several ogg streams" in lacking(whole + whole)


def test_streams_side_by_side_in_an_ogg_are_one() -> None:
    assert lacking(page(2, b"a") + page(2, b"b") + page(4, b"a") + page(4, b"b")) == ""


def test_uncompressed_files_are_known_by_four_bytes() -> None:
    for magic in (b"RIFF", b"RIFX", b"FORM", b".snd", b"dns."):
        assert is_uncompressed(magic)
    for magic in (b"fLaC", b"OggS", b"ID3\x04", b"\xff\xfb\x90\xc4", b"", b"RIF"):
        assert not is_uncompressed(magic)


@pytest.mark.parametrize("sample_rate", [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100])
@pytest.mark.parametrize("bitrate_mode", ["CONSTANT", "VARIABLE"])
def test_frames_of_lame_add_up_to_its_own_count(
    tmp_path: Path, sample_rate: int, bitrate_mode: str
) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(2 * sample_rate)
    path = tmp_path / "a.mp3"
    soundfile.write(
        path, noise, sample_rate, format="MP3", bitrate_mode=bitrate_mode, compression_level=0.3
    )
    data = path.read_bytes()
    place = max(data.find(b"Xing"), data.find(b"Info"))
    counted = struct.unpack(">I", data[place + 8 : place + 12])[0]
    per_frame = 1152 if sample_rate >= 32000 else 576  # MPEG 1, or 2 and 2.5
    assert mp3_frames(data) == Mp3Frames(counted, counted, per_frame, False)
    assert mp3_frames(data + b"TAG" + bytes(125)) == Mp3Frames(counted, counted, per_frame, False)
    assert mp3_frames(data[:-1]) == Mp3Frames(counted - 1, counted, per_frame, True)
    # Unnamed, the header is one more frame for whoever walks them.
    nameless = data.replace(data[place : place + 4], b"\0\0\0\0")
    assert mp3_frames(nameless) == Mp3Frames(counted + 1, None, per_frame, False)


def test_bytes_that_look_like_one_frame_are_not_counted() -> None:
    frame = bytes([0xFF, 0xFB, 0x90, 0xC4]) + bytes(413)
    junk = b"junk" + frame[:4] + b"junk" * 200
    assert mp3_frames(junk) == Mp3Frames(0, None, 0, False)
    assert mp3_frames(junk + 5 * frame) == Mp3Frames(5, None, 1152, False)
    assert mp3_frames(junk + 5 * frame + junk) == Mp3Frames(5, None, 1152, False)
    assert mp3_frames(b"") == Mp3Frames(0, None, 0, False)
    assert mp3_frames(b"ID3") == Mp3Frames(0, None, 0, False)
