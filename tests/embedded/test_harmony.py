"""Chords and scales, held against mir_eval's chords and librosa's scales."""

from __future__ import annotations

import itertools

import librosa
import mir_eval
import numpy as np
import pytest

from marble_eval.embedded.harmony import NUMERALS, chord, close_position, lowest_at, phrase_in

# What a textbook calls the chords of C major and of A minor.
IN_C_MAJOR = {
    "I": "C:maj", "V7/IV": "C:7", "ii": "D:min", "ii7": "D:min7", "V7/V": "D:7", "iii": "E:min",
    "IV": "F:maj", "V": "G:maj", "V7": "G:7", "vi": "A:min",
}  # fmt: skip
IN_A_MINOR = {
    "i": "A:min", "iio": "B:dim", "III": "C:maj", "iv": "D:min", "v": "E:min", "V": "E:maj",
    "V7": "E:7", "VI": "F:maj", "VII": "G:maj", "viio": "G#:dim",
}  # fmt: skip
IN_KEYS = [(0, "major", IN_C_MAJOR), (9, "minor", IN_A_MINOR)]


def pitch_classes(label: str) -> set[int]:
    """Return the pitch classes that mir_eval reads from a chord's label."""
    root, semitones, _ = mir_eval.chord.encode(label)
    return {int(root + each) % 12 for each in np.flatnonzero(semitones)}


@pytest.mark.parametrize(("tonic", "mode", "labels"), IN_KEYS)
def test_chords_are_those_of_mir_eval(tonic: int, mode: str, labels: dict[str, str]) -> None:
    assert set(labels) == set(NUMERALS[mode])
    for numeral, label in labels.items():
        spelled = chord(tonic, mode, numeral)
        assert set(spelled.tones) == pitch_classes(label)
        assert spelled.tones[0] == mir_eval.chord.encode(label)[0]


def test_chords_of_other_keys_are_transposed() -> None:
    for mode in NUMERALS:
        for numeral in NUMERALS[mode]:
            low, high = chord(0, mode, numeral), chord(5, mode, numeral)
            assert tuple((each + 5) % 12 for each in low.tones) == high.tones
            assert {(each + 5) % 12 for each in low.scale} == set(high.scale)


def test_scales_are_librosa_s_with_the_degree_that_a_chord_alters() -> None:
    assert set(chord(0, "major", "IV").scale) == set(librosa.key_to_degrees("C:maj"))
    assert set(chord(9, "minor", "iv").scale) == set(librosa.key_to_degrees("A:min"))
    assert set(chord(9, "minor", "V7").scale) == {9, 11, 0, 2, 4, 5, 8}  # harmonic minor
    assert set(chord(0, "major", "V7/V").scale) == set(librosa.key_to_degrees("G:maj"))
    assert set(chord(0, "major", "V7/IV").scale) == set(librosa.key_to_degrees("F:maj"))


def test_every_chord_lies_in_its_scale_of_seven_tones() -> None:
    for mode in NUMERALS:
        for numeral in NUMERALS[mode]:
            spelled = chord(3, mode, numeral)
            assert set(spelled.tones) <= set(spelled.scale)
            assert len(set(spelled.scale)) == 7


@pytest.mark.parametrize(("mode", "numeral"), [("major", "i"), ("minor", "I"), ("dorian", "i")])
def test_a_chord_that_a_mode_does_not_have_is_refused(mode: str, numeral: str) -> None:
    with pytest.raises(ValueError, match=f"Got '{numeral}' in '{mode}'"):
        chord(0, mode, numeral)


@pytest.mark.parametrize(("mode", "tonic", "dominants"), [
    ("major", "I", {"V", "V7"}), ("minor", "i", {"V", "V7", "viio", "VII"}),
])  # fmt: skip
def test_phrases_end_in_a_cadence_on_the_tonic(mode: str, tonic: str, dominants: set[str]) -> None:
    phrases = [phrase_in(np.random.default_rng(seed), mode) for seed in range(200)]
    assert {phrase[-1] for phrase in phrases} == {tonic}
    assert {phrase[-2] for phrase in phrases} == dominants
    assert {len(phrase) for phrase in phrases} == {4, 5, 6}
    assert len(set(phrases)) > 40
    assert sum(phrase[0] == tonic for phrase in phrases) < 0.8 * len(phrases)
    for phrase in phrases:
        assert all(one != other for one, other in itertools.pairwise(phrase))


def test_close_position_keeps_the_tones_within_an_octave_around_the_centre() -> None:
    for mode in NUMERALS:
        for numeral in NUMERALS[mode]:
            for centre in (50.0, 57.3, 64.0):
                tones = chord(7, mode, numeral).tones
                pitches = close_position(tones, centre)
                assert {pitch % 12 for pitch in pitches} == set(tones)
                assert len(pitches) == len(tones)
                assert pitches[-1] - pitches[0] < 12
                assert abs(np.mean(pitches) - centre) <= 4


def test_the_lowest_pitch_of_a_class_is_at_the_bound_or_less_than_an_octave_above() -> None:
    assert [lowest_at(each, 40) for each in (4, 5, 3)] == [40, 41, 51]
