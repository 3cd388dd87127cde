"""Room, noise, level and file, held against scipy's filters, arithmetic and two readers."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import lfilter

from marble_eval.embedded.recording import (
    Surroundings,
    at_level,
    noisy,
    recorded,
    reverberated,
    write_wav,
)

RATE = 24000


def tone(frequency: float, *, seconds: float) -> np.ndarray:
    times = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * frequency * times)).astype(np.float32)


def decibels(audio: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(audio, dtype=np.float64))))


def test_level_is_the_rms_in_decibels_below_full_scale() -> None:
    audio = tone(440.0, seconds=2.0)
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
    audio = at_level(tone(440.0, seconds=1.0), -20.0)
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


def test_the_room_is_four_combs_and_two_all_passes() -> None:
    audio = np.random.default_rng(0).standard_normal(9001).astype(np.float32)
    decay, combs, passes = 0.7, (713, 890, 986, 1049), (302, 120)  # delays at 24 kHz
    expected = np.zeros(len(audio))
    for delay in combs:
        feedback = np.zeros(delay + 1)
        feedback[0], feedback[delay] = 1.0, -(10 ** (-3 * delay / RATE / decay))
        expected += lfilter([1.0], feedback, audio) / 4
    for delay in passes:
        forward, feedback = np.zeros(delay + 1), np.zeros(delay + 1)
        forward[0], forward[delay], feedback[0], feedback[delay] = -0.7, 1.0, 1.0, -0.7
        expected = lfilter(forward, feedback, expected)
    room = reverberated(audio, RATE, decay_seconds=decay, wet=1.0)
    # Delays are rounded to samples, the gain is not: 1e-3 of the level is room for that.
    np.testing.assert_allclose(room, expected, atol=3e-3)


def test_the_room_s_sound_falls_by_60_db_in_its_decay() -> None:
    click = np.zeros(RATE * 2, dtype=np.float32)
    click[0] = 1.0
    room = reverberated(click, RATE, decay_seconds=1.0, wet=1.0).astype(np.float64)
    early, late = (
        np.square(room[at : at + RATE // 5]).sum() for at in (RATE // 10, RATE * 11 // 10)
    )
    assert 10 * np.log10(early / late) == pytest.approx(60.0, abs=6.0)


def test_a_dry_room_changes_nothing_and_a_wet_one_keeps_the_first_sound() -> None:
    audio = tone(440.0, seconds=0.5)
    assert (reverberated(audio, RATE, decay_seconds=1.0, wet=0.0) == audio).all()
    wet = reverberated(audio, RATE, decay_seconds=1.0, wet=0.4)
    assert wet.shape == audio.shape
    # Before the first echo: 0.6 dry, and 0.4 of what two all-passes of 0.7 let through at once.
    np.testing.assert_allclose(wet[:120], (0.6 + 0.4 * 0.49) * audio[:120], atol=1e-6)


@pytest.mark.parametrize(("decay", "wet"), [(0.0, 0.5), (-1.0, 0.5), (1.0, 1.5), (1.0, -0.1)])
def test_a_room_that_does_not_exist_is_refused(decay: float, wet: float) -> None:
    with pytest.raises(ValueError, match="decay_seconds must be positive"):
        reverberated(tone(440.0, seconds=0.1), RATE, decay_seconds=decay, wet=wet)


@pytest.mark.parametrize("snr_db", [0.0, 15.0, 40.0])
def test_noise_lies_below_the_clip_by_the_ratio_asked_for(snr_db: float) -> None:
    audio = tone(440.0, seconds=1.0)
    added = noisy(audio, np.random.default_rng(1), snr_db=snr_db).astype(np.float64) - audio
    assert decibels(audio) - decibels(added) == pytest.approx(snr_db, abs=0.01)
    power = np.abs(np.fft.rfft(added)) ** 2
    assert power[: len(power) // 8].sum() > 0.5 * power.sum()  # below 1.5 kHz of 12


def test_a_recording_is_at_its_level_and_differs_by_seed_alone() -> None:
    surroundings = Surroundings(decay_seconds=(0.3, 1.0), wet=(0.2, 0.4), snr_db=(20.0, 30.0))
    audio = tone(440.0, seconds=1.0)
    takes = [
        recorded(
            audio, RATE, np.random.default_rng(seed), surroundings=surroundings, level_dbfs=-27.0
        )
        for seed in (1, 1, 2)
    ]
    assert decibels(takes[0]) == pytest.approx(-27.0, abs=0.01)
    assert takes[0].tobytes() == takes[1].tobytes() != takes[2].tobytes()
