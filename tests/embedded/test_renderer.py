"""Rendered notes, held against their pitch by FFT and YIN, alone and in a mix."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import librosa
import numpy as np
import pytest

from marble_eval.embedded.composer import Note, compose
from marble_eval.embedded.renderer import Part, Renderer, soundfont_path
from marble_eval.errors import MissingError

RATE = 24000
A4 = [Note(0.0, 1.9, 69, 100)]
KICKS = Part(0, (Note(0.25, 0.1, 36, 100), Note(0.75, 0.1, 36, 100)), drums=True)
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
    used.mix([KICKS, Part(73, tuple(A4), level_db=-9.0)], seconds=0.5, tuning_semitones=0.4)
    assert used.render(notes, 14, seconds=2.0).tobytes() == fresh.tobytes()


def test_a_mix_sounds_the_same_whatever_was_played_before() -> None:
    parts = [Part(40, tuple(A4)), KICKS, Part(33, (Note(0.0, 0.9, 45, 90),), level_db=3.0)]
    fresh = Renderer(RATE).mix(parts, seconds=1.0, tuning_semitones=0.2)
    used = Renderer(RATE)
    used.mix([KICKS, *(Part(73, tuple(A4), level_db=-20.0) for _ in range(4))], seconds=0.5)
    used.render(A4, 14, seconds=0.5)
    assert used.mix(parts, seconds=1.0, tuning_semitones=0.2).tobytes() == fresh.tobytes()


def test_parts_of_a_mix_add_up() -> None:
    renderer = Renderer(RATE)
    parts = [Part(73, (Note(0.1, 0.6, 81, 90),)), Part(32, (Note(0.2, 0.6, 40, 90),)), KICKS]
    alone = [renderer.mix([part], seconds=1.0) for part in parts]
    together, added = renderer.mix(parts, seconds=1.0), np.sum(alone, axis=0)
    # Envelopes move in steps that begin anew at every event of any part.
    assert np.square(together - added).sum() < 1e-4 * np.square(added).sum()
    assert all(np.abs(each).max() > 0.005 for each in alone)


def test_programs_of_a_mix_are_equally_loud_and_levels_are_decibels() -> None:
    renderer = Renderer(RATE)
    notes = tuple(Note(at * 0.25, 0.25, 55 + 2 * at, 90) for at in range(8))

    def level(program: int, level_db: float) -> float:
        audio = renderer.mix([Part(program, notes, level_db)], seconds=2.0)
        return float(10 * np.log10(np.mean(np.square(audio, dtype=np.float64))))

    alone = [np.square(renderer.render(notes, each, seconds=2.0)).mean() for each in (79, 0)]
    assert 10 * np.log10(alone[0] / alone[1]) > 12  # an ocarina and a piano as they are
    balanced = [level(program, 0.0) for program in (79, 0, 40, 24, 16)]
    assert max(balanced) - min(balanced) < 5
    assert level(79, -6.0) - level(79, 0.0) == pytest.approx(-6.0, abs=0.5)


def test_drums_are_struck_when_written_and_are_no_notes() -> None:
    audio = Renderer(RATE).mix([KICKS], seconds=1.0)
    assert not audio[: RATE // 4].any()
    assert np.abs(audio[RATE // 4 : RATE // 4 + 480]).max() > 0.01
    onsets = librosa.onset.onset_detect(y=audio, sr=RATE, units="time", hop_length=240)
    np.testing.assert_allclose(onsets, [0.25, 0.75], atol=0.03)
    power = np.abs(np.fft.rfft(audio)) ** 2
    below = np.fft.rfftfreq(len(audio), 1 / RATE) < 250
    assert power[below].sum() > 0.7 * power.sum()  # a bass drum; the note 36 of a piano has more


@pytest.mark.parametrize("tuning", [-0.3, 0.0, 0.25])
def test_a_mix_is_tuned_in_semitones_and_its_drums_are_not(tuning: float) -> None:
    renderer = Renderer(RATE)
    audio = renderer.mix([Part(73, tuple(A4))], seconds=2.0, tuning_semitones=tuning)
    pitch = librosa.hz_to_midi(np.median(librosa.yin(audio, fmin=200, fmax=1000, sr=RATE)))
    in_tune = librosa.hz_to_midi(
        np.median(
            librosa.yin(
                renderer.mix([Part(73, tuple(A4))], seconds=2.0), fmin=200, fmax=1000, sr=RATE
            )
        )
    )
    assert float(pitch - in_tune) == pytest.approx(tuning, abs=0.05)
    drums = [renderer.mix([KICKS], seconds=1.0, tuning_semitones=each) for each in (tuning, 0.0)]
    assert drums[0].tobytes() == drums[1].tobytes()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], r"1 to 15, a MIDI channel each\. Got 0"),
        ([KICKS] * 16, "Got 16"),
        ([Part(128, tuple(A4))], r"program must be one of .* Got 128"),
        ([Part(1, tuple(A4), drums=True)], r"drum kit must be one of .* Got 1"),
    ],
)
def test_a_mix_that_cannot_be_played_is_refused(parts: list[Part], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Renderer(RATE).mix(parts, seconds=1.0)


def test_recordings_that_drift_are_rid_of_what_nobody_hears() -> None:
    audio = Renderer(RATE).render([Note(0.0, 1.8, 65, 100)], 65, seconds=2.0)  # alto sax
    power = np.abs(np.fft.rfft(audio)) ** 2
    assert power[np.fft.rfftfreq(len(audio), 1 / RATE) < 30].sum() < 0.01 * power.sum()


@pytest.mark.parametrize("program", [-1, 128])
def test_a_program_that_does_not_exist_is_refused(program: int) -> None:
    with pytest.raises(ValueError, match=rf"0 to 127. Got {program}"):
        Renderer(RATE).render(A4, program, seconds=1.0)


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
    assert "pip install pretty_midi" in str(caught.value)
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
