"""EmbeddedTagging: that what a tag says is in the mix, and one tag tells nothing of another."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from marble_eval.embedded.programs import DRUMS, FAMILIES
from marble_eval.embedded.renderer import Part
from marble_eval.embedded.tags import RHYTHMS, TAGS, TaggedPiece, arrange, tags

CLIPS = tags().clips
FAMILY_OF = {
    number: family
    for family, table in FAMILIES.items()
    for programs in table.values()
    for number in programs.values()
}
PIECE = {"programs": (73, 40, 56), "bass": 32, "low": 36, "mid": 38, "high": 42, "seed": 5}


def beats_of(part: Part) -> np.ndarray:
    """Return onsets in seconds, those of one stroke once."""
    onsets = sorted(note.onset_seconds for note in part.notes)
    return np.array(
        [one for one, gap in zip(onsets, np.diff([-1, *onsets]), strict=True) if gap > 0.05]
    )


def test_twelve_tags_are_in_every_split_neither_rare_nor_common() -> None:
    assert len(TAGS) == 12
    for split in ("train", "valid", "test"):
        labels = [set(clip.labels[0].split(";")) for clip in CLIPS if clip.split == split]
        for tag in TAGS:
            assert 0.15 < np.mean([tag in each for each in labels]) < 0.6


def test_rhythms_bass_and_arpeggio_tell_nothing_of_other_tags() -> None:
    labels = [set(clip.labels[0].split(";")) for clip in CLIPS]
    table = np.array([[tag in each for tag in TAGS] for each in labels], dtype=float)
    correlations = np.corrcoef(table.T)
    for one, other in itertools.combinations(range(12), 2):
        if {TAGS[one], TAGS[other]} & {*RHYTHMS, "arpeggio", "bass"}:
            assert abs(correlations[one, other]) < 0.2
        else:  # there are one to three families of seven
            assert -0.3 < correlations[one, other] < 0.2


def test_families_in_the_mix_are_those_of_the_tags() -> None:
    for clip in CLIPS:
        played = {FAMILY_OF[part.program] for part in arrange(clip.recipe) if not part.drums}
        assert played == set(clip.labels[0].split(";")) & set(FAMILIES)
        assert 1 <= len(played - {"bass"}) <= 3


def test_drums_in_the_mix_are_those_of_the_tags() -> None:
    role_of = {"four on the floor": "low", "backbeat": "mid", "off-beats": "high"}
    for clip in CLIPS:
        parts = [part for part in arrange(clip.recipe) if part.drums]
        struck = {note.pitch for part in parts for note in part.notes}
        rhythms = [each for each in RHYTHMS if each in clip.recipe.tags]
        assert struck == {getattr(clip.recipe, role_of[each]) for each in rhythms}
        for each in rhythms:
            drums = itertools.chain(*(table.values() for table in DRUMS[role_of[each]].values()))
            assert getattr(clip.recipe, role_of[each]) in drums


def test_rhythms_are_on_the_beats_that_they_are_named_for() -> None:
    parts = arrange(TaggedPiece(tags=RHYTHMS, **PIECE))  # type: ignore[arg-type]
    backbeat, floor, off = (beats_of(part) for part in parts if part.drums)
    beat = float(np.median(np.diff(floor)))
    assert np.median(np.diff(backbeat)) == pytest.approx(2 * beat, abs=0.025)
    assert backbeat[0] - floor[0] == pytest.approx(beat, abs=0.025)
    assert off[0] - floor[0] == pytest.approx(beat / 2, abs=0.025)


def test_an_arpeggio_is_one_note_at_a_time_and_chords_are_not() -> None:
    for seed in range(20):
        piece = {**PIECE, "seed": seed}
        broken = arrange(TaggedPiece(tags=("arpeggio",), **piece))[0]  # type: ignore[arg-type]
        struck = arrange(TaggedPiece(tags=(), **piece))[0]  # type: ignore[arg-type]
        assert len(broken.notes) == len(beats_of(broken))
        assert len(struck.notes) >= 2.5 * len(beats_of(struck))
