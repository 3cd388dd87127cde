"""Composed phrases, held against harmony worked by hand and librosa's scales."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from marble_eval.embedded.composer import MODES, TEXTURES, Note, Phrase, compose, scale_pitch, triad
from marble_eval.files.fingerprint import digest_of

SECONDS = 3.0
PHRASES = [compose(seed, seconds=SECONDS) for seed in range(80)]


def beat_of(phrase: Phrase, note: Note) -> float:
    """Return the beat that a note begins on; the first note begins on beat 0."""
    return (note.onset_seconds - phrase.notes[0].onset_seconds) * phrase.tempo_bpm / 60.0


def sounding_chord(phrase: Phrase, beat: float) -> set[int]:
    """Return the pitch classes of the chord under a beat: two beats for each root."""
    root = phrase.roots[int((beat + 1e-6) // 2) % len(phrase.roots)]
    return {pitch % 12 for pitch in triad(phrase.tonic, phrase.mode, root)}


def test_degrees_of_c_major_are_the_white_keys() -> None:
    assert [scale_pitch(60, "major", degree) for degree in range(8)] == [
        *(60, 62, 64, 65, 67, 69, 71, 72)
    ]


def test_degrees_of_a_minor_are_the_white_keys_from_a() -> None:
    assert [scale_pitch(57, "minor", degree) for degree in range(7)] == [
        *(57, 59, 60, 62, 64, 65, 67)
    ]


def test_degree_below_the_tonic_is_the_leading_note_and_fourteen_two_octaves() -> None:
    assert scale_pitch(60, "major", -1) == 59
    assert scale_pitch(60, "major", 14) == 84


@pytest.mark.parametrize(
    ("mode", "name"),
    [("major", "maj"), ("minor", "min"), ("dorian", "dor"), ("mixolydian", "mix")],
)
def test_modes_have_the_degrees_that_librosa_gives_them(mode: str, name: str) -> None:
    assert list(MODES[mode]) == librosa.key_to_degrees(f"C:{name}").tolist()


def test_chords_of_c_major_are_c_e_g_and_d_f_a_and_g_b_d() -> None:
    assert triad(60, "major", 0) == (60, 64, 67)
    assert triad(60, "major", 1) == (62, 65, 69)
    assert triad(60, "major", 4) == (67, 71, 74)


def test_unknown_mode_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"major, minor, dorian, mixolydian. Got 'locrian'"):
        scale_pitch(60, "locrian", 0)


def test_every_note_lies_in_the_scale_of_the_key() -> None:
    for phrase in PHRASES:
        scale = {(phrase.tonic + step) % 12 for step in MODES[phrase.mode]}
        assert {note.pitch % 12 for note in phrase.notes} <= scale


def test_every_note_on_a_whole_beat_belongs_to_the_chord() -> None:
    on_the_beat = 0
    for phrase in PHRASES:
        for note in phrase.notes:
            beat = beat_of(phrase, note)
            if abs(beat - round(beat)) < 1e-6:
                assert note.pitch % 12 in sounding_chord(phrase, beat)
                on_the_beat += 1
    assert on_the_beat > 500


def test_a_chord_texture_strikes_whole_triads_with_the_root_lowest() -> None:
    phrases = [phrase for phrase in PHRASES if phrase.texture == "melody and chords"]
    assert len(phrases) > 5
    for phrase in phrases:
        first = phrase.notes[0].onset_seconds
        struck = sorted(note.pitch for note in phrase.notes if note.onset_seconds == first)
        expected = triad(phrase.tonic, phrase.mode, phrase.roots[0])
        below = {(pitch - expected[0]) % 12 for pitch in struck}
        assert {(pitch - expected[0]) % 12 for pitch in expected} <= below
        assert struck[0] % 12 == expected[0] % 12


def test_a_lone_melody_never_plays_two_notes_at_once() -> None:
    phrases = [phrase for phrase in PHRASES if phrase.texture == "melody"]
    assert len(phrases) > 5
    for phrase in phrases:
        for note, following in zip(phrase.notes, phrase.notes[1:], strict=False):
            assert note.onset_seconds + note.duration_seconds <= following.onset_seconds + 1e-9


def test_notes_have_positive_durations_and_end_inside_the_clip() -> None:
    for phrase in PHRASES:
        assert len(phrase.notes) >= 4
        for note in phrase.notes:
            assert note.onset_seconds >= 0.0
            assert note.duration_seconds > 0.0
            assert note.onset_seconds + note.duration_seconds <= SECONDS + 1e-9
            assert 1 <= note.velocity <= 127


def test_phrases_keep_to_the_register_from_f2_to_g5() -> None:
    pitches = [note.pitch for phrase in PHRASES for note in phrase.notes]
    assert min(pitches) >= 41
    assert max(pitches) <= 79


def test_same_seed_gives_the_same_phrase_and_others_differ() -> None:
    assert [compose(seed, seconds=SECONDS) for seed in range(80)] == PHRASES
    assert len(set(PHRASES)) == len(PHRASES)


def test_all_textures_modes_and_tonics_occur() -> None:
    assert {phrase.texture for phrase in PHRASES} == set(TEXTURES)
    assert {phrase.mode for phrase in PHRASES} == set(MODES)
    assert {phrase.tonic for phrase in PHRASES} == set(range(12))


def test_the_global_random_state_is_neither_read_nor_moved() -> None:
    np.random.seed(1)
    first = compose(5, seconds=SECONDS)
    after = np.random.random()
    np.random.seed(1)
    assert np.random.random() == after
    np.random.seed(2)
    assert compose(5, seconds=SECONDS) == first


def test_the_music_is_what_it_was_when_the_recipe_got_its_version() -> None:
    # When this fails, the data have changed: raise RECIPE_VERSION and the card's version.
    assert digest_of(PHRASES[:20]) == "280526bf8d15ef219e60579a4981fd22"


def test_a_clip_too_short_for_a_phrase_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 1.*Got 0.5"):
        compose(0, seconds=0.5)


@pytest.mark.parametrize(
    "values", [(-0.1, 1.0, 60, 90), (0.0, 0.0, 60, 90), (0.0, 1.0, 128, 90), (0.0, 1.0, 60, 0)]
)
def test_a_note_out_of_range_is_refused(values: tuple[float, float, int, int]) -> None:
    with pytest.raises(ValueError, match="must keep to the ranges"):
        Note(*values)
