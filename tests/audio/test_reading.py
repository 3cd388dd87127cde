import os
import pickle
import struct
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from marble_eval.audio.reading import UnusableAudio, cheap_to_read, inspect, read

FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "au": ("AU", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}


def tone(sample_rate: int = 24000, seconds: float = 2.0) -> npt.NDArray[np.float64]:
    """440 Hz left, half as loud and shifted right."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    left = 0.5 * np.sin(2 * np.pi * 440 * time)
    right = 0.25 * np.sin(2 * np.pi * 440 * time + 1)
    return np.stack([left, right], axis=1)


def write(path: Path, kind: str, audio: npt.NDArray[np.float64], sample_rate: int = 24000) -> Path:
    container, subtype = FORMATS[kind]
    soundfile.write(path, audio, sample_rate, format=container, subtype=subtype)
    return path


def reason(path: Path) -> str:
    with pytest.raises(UnusableAudio) as caught:
        read(path, "mean")
    return caught.value.reason


def without_xing_header(path: Path, bitrate_mode: str) -> bytes:
    """Bytes of an mp3, half quiet and half loud, from its second frame on."""
    loudness = np.repeat([1e-3, 0.3], 44100)
    noise = loudness * np.random.default_rng(0).standard_normal(88200)
    soundfile.write(
        path, noise, 44100, format="MP3", bitrate_mode=bitrate_mode, compression_level=0.5
    )
    data = path.read_bytes()
    return data[data.index(data[:2], 2) :]


def test_sixteen_bit_wav_of_the_standard_library_is_divided_by_32768(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 22050, 0, "NONE", ""))
        file.writeframes(struct.pack("<6h", 16384, 0, -32768, -32768, 100, 300))
    audio, sample_rate = read(path, "mean")
    assert sample_rate == 22050
    assert audio.dtype == np.float32
    assert audio.tolist() == [0.25, -1.0, 200 / 32768]
    assert read(path, "first")[0].tolist() == [0.5, -1.0, np.float32(100 / 32768)]


def test_three_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full((10, 3), [0.9, 0.3, 0.0]), 48000, subtype="FLOAT")
    np.testing.assert_allclose(read(path, "mean")[0], 0.4, atol=1e-7)


def test_equal_channels_keep_their_level(tmp_path: Path) -> None:
    # ffmpeg's -3 dB rule would give 0.5 * 1.414.
    soundfile.write(tmp_path / "a.flac", np.full((100, 2), 0.5), 44100)
    assert read(tmp_path / "a.flac", "mean")[0].tolist() == [0.5] * 100


@pytest.mark.parametrize("sample_rate", [8000, 11025, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize(
    ("container", "subtype", "step"),
    [
        ("WAV", "PCM_16", 2**-15),
        ("WAV", "PCM_24", 2**-23),
        ("WAV", "FLOAT", 2**-24),
        ("WAVEX", "PCM_24", 2**-23),
        ("AIFF", "PCM_16", 2**-15),
        ("AU", "PCM_16", 2**-15),
        ("FLAC", "PCM_16", 2**-15),
        ("FLAC", "PCM_24", 2**-23),
    ],
)
def test_lossless_audio_comes_back_within_a_quantisation_step(
    tmp_path: Path, container: str, subtype: str, step: float, sample_rate: int
) -> None:
    audio = tone(sample_rate, 0.5)
    soundfile.write(tmp_path / "a", audio, sample_rate, format=container, subtype=subtype)
    got, got_rate = read(tmp_path / "a", "mean")
    assert got_rate == sample_rate
    np.testing.assert_allclose(got, audio.mean(axis=1), atol=1.01 * step)
    facts = inspect(tmp_path / "a")
    assert facts == (sample_rate, len(audio), 2)
    assert facts.seconds == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("kind", ["ogg", "opus", "mp3"])
def test_lossy_audio_keeps_length_place_and_level(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "a", kind, tone())
    audio, sample_rate = read(path, "first")
    assert inspect(path) == (24000, 48000, 2)
    assert (len(audio), sample_rate) == (48000, 24000)
    middle = slice(4800, -4800)
    np.testing.assert_allclose(audio[middle], tone()[middle, 0], atol=0.04)


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3"])
def test_long_files_have_no_seam(tmp_path: Path, kind: str) -> None:
    # Read in blocks, a steady tone in mp3 jumps by up to 0.07 behind each border.
    path = write(tmp_path / "a", kind, tone(44100, 10.0), 44100)
    audio, _ = read(path, "first")
    np.testing.assert_array_equal(audio, soundfile.read(path, dtype="float32")[0][:, 0])
    np.testing.assert_allclose(audio[4410:-4410], tone(44100, 10.0)[4410:-4410, 0], atol=0.04)


def test_files_are_known_by_content_not_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", "flac", tone())
    assert len(read(path, "mean")[0]) == 48000
    assert not cheap_to_read(path)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("wav", True), ("aiff", True), ("au", True), ("flac", False), ("ogg", False), ("mp3", False)],
)
def test_uncompressed_files_are_cheap_to_read(tmp_path: Path, kind: str, expected: bool) -> None:
    assert cheap_to_read(write(tmp_path / "a", kind, tone())) is expected


def test_absent_empty_and_foreign_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "page.wav").write_text("<html>404 not found</html>" * 20)
    (tmp_path / "noise.flac").write_bytes(np.random.default_rng(0).bytes(5000))
    (tmp_path / "bare.raw").write_bytes(bytes(5000))
    (tmp_path / "stump.au").write_bytes(b".snd\0\0")
    (tmp_path / "link.wav").symlink_to(tmp_path / "gone.wav")
    assert reason(tmp_path / "gone.wav") == "missing"
    assert reason(tmp_path / "link.wav") == "missing"
    assert reason(tmp_path / "page.wav" / "under.wav") == "missing"
    assert reason(tmp_path) == "is a folder"
    assert reason(tmp_path / "empty.wav") == "empty (0 bytes)"
    for name in ("noise.flac", "stump.au"):
        assert reason(tmp_path / name).startswith("unreadable: ")
    assert "a web page (HTML)" in reason(tmp_path / "page.wav")
    (tmp_path / "pointer.mp3").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:4\n"
    )
    assert "a git-lfs pointer" in reason(tmp_path / "pointer.mp3")
    assert reason(tmp_path / "bare.raw") == "unreadable: raw samples without a header"


def test_what_has_no_end_is_named_and_never_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.wav")
    (tmp_path / "zero.wav").symlink_to("/dev/zero")
    assert reason(tmp_path / "fifo.wav") == "is a FIFO"
    assert reason(tmp_path / "zero.wav") == "is a device"


@pytest.mark.parametrize("kind", ["wav", "aiff", "au", "flac", "ogg", "opus", "mp3"])
def test_a_file_behind_another_is_not_left_out(tmp_path: Path, kind: str) -> None:
    first = write(tmp_path / "a", kind, tone()).read_bytes()
    second = write(tmp_path / "b", kind, tone(seconds=3.0)).read_bytes()
    (tmp_path / "c").write_bytes(first + second)
    assert reason(tmp_path / "c").startswith(("would be read in part: ", "truncated: only the"))


@pytest.mark.parametrize("counted", [0, 1, 24000, 47999])
def test_a_flac_that_counts_too_few_samples_is_not_shortened(tmp_path: Path, counted: int) -> None:
    data = bytearray(write(tmp_path / "a.flac", "flac", tone()).read_bytes())
    data[21] &= 0xF0  # STREAMINFO: 36 bits of total samples
    data[22:26] = struct.pack(">I", counted)
    (tmp_path / "a.flac").write_bytes(data)
    expected = f"would be read in part: the header counts {counted} of 48000 samples"
    if not counted:
        expected = "unreadable: the header does not say how long it is"
    assert reason(tmp_path / "a.flac") == expected


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_an_mp3_that_counts_too_few_frames_is_not_shortened(tmp_path: Path, share: float) -> None:
    data = bytearray(write(tmp_path / "a.mp3", "mp3", tone()).read_bytes())
    place = max(data.find(b"Xing"), data.find(b"Info")) + 8
    frames = struct.unpack(">I", data[place : place + 4])[0]
    data[place : place + 4] = struct.pack(">I", int(frames * share))
    (tmp_path / "a.mp3").write_bytes(data)
    with pytest.raises(UnusableAudio, match=f"would be read in part: .* of {frames} frames"):
        inspect(tmp_path / "a.mp3")


@pytest.mark.parametrize(("kind", "place", "order"), [("wav", b"data", "<"), ("au", b".snd", ">")])
def test_samples_beyond_the_size_in_the_header_are_not_left_out(
    tmp_path: Path, kind: str, place: bytes, order: str
) -> None:
    data = bytearray(write(tmp_path / "a", kind, tone()).read_bytes())
    at = data.index(place) + (4 if kind == "wav" else 8)
    for size in (96000, 0):
        data[at : at + 4] = struct.pack(f"{order}I", size)
        (tmp_path / "a").write_bytes(data)
        assert reason(tmp_path / "a").startswith("would be read in part: ")


def test_zeros_that_fill_a_sector_and_tags_do_no_harm(tmp_path: Path) -> None:
    data = write(tmp_path / "a.wav", "wav", tone()).read_bytes()
    for behind in (bytes(2048), b"TAG" + bytes(125), b"ID3\x04" + bytes(range(60))):
        (tmp_path / "a.wav").write_bytes(data + behind)
        assert len(read(tmp_path / "a.wav", "mean")[0]) == 48000


@pytest.mark.parametrize("look", [inspect, cheap_to_read])
def test_every_entry_refuses_what_is_not_there(tmp_path: Path, look: object) -> None:
    (tmp_path / "empty.wav").touch()
    for path, expected in (
        (tmp_path / "gone.wav", "missing"),
        (tmp_path, "is a folder"),
        (tmp_path / "empty.wav", "empty (0 bytes)"),
    ):
        with pytest.raises(UnusableAudio) as caught:
            look(path)  # type: ignore[operator]
        assert (caught.value.path, caught.value.reason) == (path, expected)


@pytest.mark.parametrize("kind", ["wav", "aiff", "au", "flac", "ogg", "opus", "mp3"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_a_cut_file_is_refused_in_every_container(tmp_path: Path, kind: str, kept: float) -> None:
    data = write(tmp_path / "whole", kind, tone()).read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(data[: int(len(data) * kept)])
    if kind == "flac" or (kind == "mp3" and kept == 0.1):
        assert reason(path).startswith("unreadable: ")  # the decoder gives up first
    else:
        assert reason(path).startswith("truncated: ")


@pytest.mark.parametrize("kind", ["wav", "aiff", "au", "flac", "ogg", "opus", "mp3"])
def test_one_lost_byte_is_noticed(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "a", kind, tone())
    path.write_bytes(path.read_bytes()[:-1])
    assert reason(path).startswith(("truncated: ", "unreadable: "))


@pytest.mark.parametrize("kind", ["wav", "aiff", "au", "ogg"])
def test_the_header_alone_gives_a_cut_file_away(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "a", kind, tone())
    path.write_bytes(path.read_bytes()[:40000])
    if kind == "ogg":
        path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(UnusableAudio, match="truncated: "):
        inspect(path)


def test_a_streamed_wav_or_au_of_unknown_size_is_read_to_its_end(tmp_path: Path) -> None:
    for size in (0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000):
        data = bytearray(write(tmp_path / "a.wav", "wav", tone()).read_bytes())
        place = data.index(b"data") + 4
        data[place : place + 4] = struct.pack("<I", size)
        (tmp_path / "a.wav").write_bytes(data)
        assert len(read(tmp_path / "a.wav", "mean")[0]) == 48000
    data = bytearray(write(tmp_path / "a.au", "au", tone()).read_bytes())
    data[8:12] = b"\xff" * 4
    (tmp_path / "a.au").write_bytes(data)
    assert len(read(tmp_path / "a.au", "mean")[0]) == 48000


def test_chunks_before_and_after_the_samples_do_no_harm(tmp_path: Path) -> None:
    data = write(tmp_path / "a.wav", "wav", tone()).read_bytes()
    odd = b"note" + struct.pack("<I", 3) + b"abc\0"  # odd sizes are padded to even
    place = data.index(b"data")
    (tmp_path / "a.wav").write_bytes(data[:place] + odd + data[place:] + b"LIST\xff\xff")
    np.testing.assert_allclose(
        read(tmp_path / "a.wav", "mean")[0], tone().mean(axis=1), atol=2**-15
    )


def test_a_flac_without_a_length_is_refused(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "a.flac", "flac", tone()).read_bytes())
    data[21] &= 0xF0  # STREAMINFO: 36 bits of total samples, 0 for unknown
    data[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(data)
    assert reason(tmp_path / "a.flac") == "unreadable: the header does not say how long it is"


@pytest.mark.parametrize("kind", ["flac", "ogg"])
def test_one_changed_byte_is_noticed_where_there_are_checksums(tmp_path: Path, kind: str) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal((72000, 2))
    data = bytearray(write(tmp_path / "a", kind, noise).read_bytes())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "a").write_bytes(data)
    assert reason(tmp_path / "a").startswith(("unreadable: ", "truncated: "))


def test_oggs_one_after_the_other_are_refused(tmp_path: Path) -> None:
    first = write(tmp_path / "a.ogg", "ogg", tone()).read_bytes()
    second = write(tmp_path / "b.ogg", "ogg", tone(seconds=3.0)).read_bytes()
    (tmp_path / "c.ogg").write_bytes(first + second)
    assert soundfile.info(tmp_path / "c.ogg").frames == 48000  # why it must be refused
    assert (
        reason(tmp_path / "c.ogg")
        == "truncated: only the first of several ogg streams would be read"
    )


def test_a_varying_mp3_without_xing_header_is_not_shortened(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(without_xing_header(tmp_path / "b.mp3", "VARIABLE"))
    assert len(soundfile.read(path)[0]) < 44100  # libsndfile's guess, of 2 s
    assert "no Xing header" in reason(path)


def test_a_constant_mp3_without_xing_header_is_read_to_its_last_frame(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(without_xing_header(tmp_path / "b.mp3", "CONSTANT"))
    audio, _ = read(path, "mean")
    # 88,200 samples and LAME's delay of 1105 fill 78 frames of 1152 to the brim.
    assert 78 * 1152 - 1152 < len(audio) <= 80 * 1152
    assert len(audio) % 1152 == 0
    assert abs(inspect(path).samples - len(audio)) < 1152


def test_tags_around_an_mp3_do_no_harm(tmp_path: Path) -> None:
    data = write(tmp_path / "a.mp3", "mp3", tone()).read_bytes()
    plain, _ = read(tmp_path / "a.mp3", "mean")
    picture = np.random.default_rng(0).bytes(20 * 128)
    (tmp_path / "b.mp3").write_bytes(
        b"ID3\x04\0\0\0\0\x14\0" + picture + data + b"TAG" + bytes(125)
    )
    np.testing.assert_array_equal(read(tmp_path / "b.mp3", "mean")[0], plain)


def test_an_mp3_whose_header_counts_itself_is_whole(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "a.mp3", "mp3", tone()).read_bytes())
    place = max(data.find(b"Xing"), data.find(b"Info")) + 8
    frames = struct.unpack(">I", data[place : place + 4])[0]
    for more, is_whole in ((1, True), (2, False)):
        data[place : place + 4] = struct.pack(">I", frames + more)
        (tmp_path / "a.mp3").write_bytes(data)
        if is_whole:
            assert 48000 <= len(read(tmp_path / "a.mp3", "mean")[0]) < 48576
        else:
            assert reason(tmp_path / "a.mp3").startswith("truncated: ")


def test_containers_that_cannot_be_checked_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.w64", tone(), 24000, format="W64")
    assert reason(tmp_path / "a.w64") == "unreadable: W64 with PCM_16"


def test_an_mp2_is_refused(tmp_path: Path) -> None:
    frame = bytes([0xFF, 0xFD, 0x84, 0xC0]) + bytes(380)  # layer II, 128 kbit/s, 48 kHz: 384 bytes
    (tmp_path / "a.mp3").write_bytes(100 * frame)
    assert reason(tmp_path / "a.mp3") == "unreadable: MP3 with MPEG_LAYER_II"


def test_a_header_without_samples_is_refused(tmp_path: Path) -> None:
    for kind in ("wav", "aiff", "au", "ogg"):
        assert reason(write(tmp_path / "a", kind, tone()[:0])) == "no samples"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_not_finite_is_refused(tmp_path: Path, value: float) -> None:
    audio = tone()
    audio[40000, 1] = value
    soundfile.write(tmp_path / "a.wav", audio, 24000, subtype="FLOAT")
    assert reason(tmp_path / "a.wav") == "not finite"
    assert read(tmp_path / "a.wav", "first")[0].any()  # the other channel is sound


def test_silence_is_refused_and_one_sample_is_not_silence(tmp_path: Path) -> None:
    for kind in ("wav", "flac"):
        assert reason(write(tmp_path / "a", kind, np.zeros((5000, 2)))) == "silent"
    click = np.zeros((5000, 2))
    click[-1, 0] = 0.5
    assert read(write(tmp_path / "b", "wav", click), "mean")[0][-1] == 0.25


def test_channels_that_cancel_are_silent_only_when_mixed(tmp_path: Path) -> None:
    left = tone()[:, 0]
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([left, -left], axis=1), 24000, subtype="FLOAT")
    assert reason(path) == "silent"
    np.testing.assert_allclose(read(path, "first")[0], left, atol=1e-7)


def test_unknown_channel_rule_is_a_value_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'mean' or 'first'\. Got 'both'"):
        read(write(tmp_path / "a.wav", "wav", tone()), "both")  # type: ignore[arg-type]


def test_the_error_tells_path_and_reason_and_survives_pickling(tmp_path: Path) -> None:
    error = UnusableAudio(tmp_path / "a.wav", "silent")
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(copy, UnusableAudio)
    assert issubclass(UnusableAudio, ValueError)
    assert (copy.path, copy.reason) == (tmp_path / "a.wav", "silent")
    assert str(copy).startswith(f"{tmp_path / 'a.wav'}: ")
    assert "Got: silent." in str(copy)
