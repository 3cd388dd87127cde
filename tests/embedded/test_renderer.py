"""Rendered notes, held against their pitch by FFT and YIN, and wav files against two readers."""

from __future__ import annotations

import importlib.util
import sys
import wave
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

from marble_eval.embedded.composer import Note, compose
from marble_eval.embedded.renderer import Renderer, at_level, soundfont_path, write_wav
from marble_eval.errors import MissingError

RATE = 24000
A4 = [Note(0.0, 1.9, 69, 100)]
SUSTAINED = {"flute": 73, "recorder": 74, "clarinet": 71, "oboe": 68, "violin": 40, "trumpet": 56}


@pytest.mark.parametrize("program", SUSTAINED.values(), ids=SUSTAINED.keys())
def test_a4_sounds_at_440_hz_by_fft_and_by_yin(program: int) -> None:
    audio = Renderer(RATE).render(A4, program, seconds=2.0)[RATE // 4 : RATE * 7 // 4]
    power = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), 8 * len(audio))) ** 2
    frequencies = np.fft.rfftfreq(8 * len(audio), 1 / RATE)
    around = (frequencies > 330) & (frequencies < 587)  # E4 to D5: a fourth to either side
    assert frequencies[around][power[around].argmax()] == pytest.approx(440.0, rel=0.01)
    assert power[frequencies < 330].max() < 0.1 * power[around].max()
    pitch = librosa.yin(audio, fmin=200, fmax=1000, sr=RATE)
    assert float(np.median(pitch)) == pytest.approx(440.0, rel=0.01)


def test_an_octave_higher_sounds_at_twice_the_frequency() -> None:
    renderer = Renderer(RATE)
    low, high = (
        renderer.render([Note(0.0, 0.9, pitch, 90)], SUSTAINED["recorder"], seconds=1.0)
        for pitch in (64, 76)
    )
    ratio = np.median(librosa.yin(high, fmin=200, fmax=2000, sr=RATE)) / np.median(
        librosa.yin(low, fmin=200, fmax=2000, sr=RATE)
    )
    assert float(ratio) == pytest.approx(2.0, rel=0.01)


def test_a_note_starts_on_its_sample_and_the_clip_ends_in_silence() -> None:
    audio = Renderer(RATE).render([Note(0.5, 2.0, 60, 100)], 16, seconds=1.5)
    assert audio.shape == (36000,)
    assert audio.dtype == np.float32
    assert not audio[:12000].any()
    assert np.abs(audio[12000:12480]).max() > 0.001  # heard within 20 ms
    assert audio[-1] == 0.0
    assert np.abs(audio[-960:-480]).max() > 0.001  # the note was still held


def test_a_released_note_dies_away() -> None:
    audio = Renderer(RATE).render([Note(0.0, 0.5, 60, 100)], 16, seconds=2.0)
    assert np.abs(audio[36000:]).max() < 0.01 * np.abs(audio[:12000]).max()


def test_a_harder_stroke_is_louder() -> None:
    renderer = Renderer(RATE)
    soft, hard = (
        np.square(renderer.render([Note(0.0, 0.9, 60, velocity)], 24, seconds=1.0)).mean()
        for velocity in (40, 120)
    )
    assert hard > 4 * soft


def test_a_clip_sounds_the_same_whatever_was_played_before() -> None:
    notes = compose(3, seconds=2.0).notes
    fresh = Renderer(RATE).render(notes, 14, seconds=2.0)
    used = Renderer(RATE)
    used.render(compose(4, seconds=2.0).notes, 88, seconds=2.0)  # a pad with a long release
    used.render([Note(0.0, 2.0, 60, 127)], 14, seconds=0.5)  # still held at the end
    assert used.render(notes, 14, seconds=2.0).tobytes() == fresh.tobytes()


def test_recordings_that_drift_are_rid_of_what_nobody_hears() -> None:
    audio = Renderer(RATE).render([Note(0.0, 1.8, 65, 100)], 65, seconds=2.0)  # alto sax
    power = np.abs(np.fft.rfft(audio)) ** 2
    assert power[np.fft.rfftfreq(len(audio), 1 / RATE) < 30].sum() < 0.01 * power.sum()


@pytest.mark.parametrize("program", [-1, 128])
def test_a_program_that_does_not_exist_is_refused(program: int) -> None:
    with pytest.raises(ValueError, match=rf"0 to 127. Got {program}"):
        Renderer(RATE).render(A4, program, seconds=1.0)


def test_level_is_the_rms_in_decibels_below_full_scale() -> None:
    audio = Renderer(RATE).render(A4, 73, seconds=2.0)
    quiet = at_level(audio, -26.0)
    # -26 dBFS is an RMS of 10 ** (-26 / 20) = 0.0501
    assert float(np.sqrt(np.mean(quiet.astype(np.float64) ** 2))) == pytest.approx(0.0501, rel=1e-3)
    assert np.corrcoef(audio, quiet)[0, 1] == pytest.approx(1.0)


def test_a_silent_clip_has_no_level() -> None:
    with pytest.raises(ValueError, match="must not be silent"):
        at_level(np.zeros(100, dtype=np.float32), -20.0)


def test_a_level_that_would_clip_is_refused() -> None:
    click = np.zeros(1000, dtype=np.float32)
    click[0] = 1.0  # RMS -30 dBFS, so that a peak of 1 is passed at -29
    with pytest.raises(ValueError, match=r"below full scale at -29\.0 dBFS"):
        at_level(click, -29.0)
    assert at_level(click, -31.0).max() < 1.0


def test_wav_file_is_mono_16_bit_by_two_readers(tmp_path: Path) -> None:
    audio = at_level(Renderer(RATE).render(A4, 73, seconds=1.0), -20.0)
    path = tmp_path / "a4.wav"
    write_wav(path, audio, RATE)
    info = soundfile.info(path)
    assert (info.format, info.subtype, info.channels) == ("WAV", "PCM_16", 1)
    assert (info.samplerate, info.frames) == (RATE, RATE)
    with wave.open(str(path)) as stream:
        assert stream.getparams()[:4] == (1, 2, RATE, RATE)
        samples = np.frombuffer(stream.readframes(RATE), dtype="<i2")
    np.testing.assert_allclose(samples / 32767, audio, atol=0.6 / 32767)
    assert path.stat().st_size == 44 + 2 * RATE  # header and samples, no time stamp


def test_soundfont_is_read_from_the_installed_package() -> None:
    package = importlib.util.find_spec("pretty_midi")
    assert package is not None
    assert package.origin is not None
    assert soundfont_path().parent == Path(package.origin).parent
    assert soundfont_path().read_bytes()[:4] == b"RIFF"


@pytest.mark.parametrize("package", ["tinysoundfont", "pretty_midi"])
def test_a_missing_package_is_named_with_the_commands(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingError, match=package) as caught:
        Renderer(RATE)
    assert 'pip install "marble-eval[demo]"' in str(caught.value)
    assert "pip install --no-deps tinysoundfont" in str(caught.value)


def test_a_package_without_the_soundfont_is_told_from_a_missing_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pretty_midi").mkdir()
    (tmp_path / "pretty_midi" / "__init__.py").write_text("")
    monkeypatch.delitem(sys.modules, "pretty_midi", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingError, match=r"TimGM6mb\.sf2: must be the soundfont"):
        soundfont_path()
