"""Classes of chords and what is right of a song: mir_eval, scikit-learn, and by hand."""

from __future__ import annotations

from itertools import product

import mir_eval
import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from marble_eval.data.annotations.chord_files import Chords
from marble_eval.metrics.chord import (
    CHORDS,
    IGNORED,
    chord_class,
    chords_at,
    classes_at,
    frame_counts,
    overlap_seconds,
)

ROOTS = {"C": 0, "C#": 1, "Db": 1, "D": 2, "Eb": 3, "E": 4, "Fb": 4, "E#": 5, "F": 5, "F##": 7,
         "Gb": 6, "G": 7, "Ab": 8, "A": 9, "Bbb": 9, "Bb": 10, "B": 11, "Cb": 11, "B#": 0,
         }  # fmt: skip

MAJOR = {"maj", "maj6", "maj7", "maj9", "maj13", "7", "9", "11", "13"}
MINOR = {"min", "min6", "min7", "min9", "min11", "min13", "minmaj7"}
NEITHER = {"aug", "dim", "dim7", "hdim7", "sus2", "sus4", "1", "5"}

VOCABULARY = [f"{root}:{quality}" for root in ("C", "Eb", "F#", "A") for quality in
              ("maj", "min", "7", "min7/b3", "maj/3", "sus4", "dim", "maj(9)")]  # fmt: skip


def chords_of(*rows: tuple[float, float, str]) -> Chords:
    return Chords(
        np.array([row[:2] for row in rows], dtype=np.float64).reshape(-1, 2),
        tuple(row[2] for row in rows),
    )


def song(seed: int, seconds: float, chords: int, *, first: float = 0.0) -> Chords:
    """Make a song without gaps; some chords are N or X."""
    generator = np.random.default_rng(seed)
    inner = np.sort(generator.uniform(first, seconds, size=chords - 1))
    edges = np.array([first, *inner, seconds])
    names = generator.choice([*VOCABULARY, "N", "X"], size=chords).tolist()
    return Chords(np.stack([edges[:-1], edges[1:]], axis=1), tuple(names))


def changed(chords: Chords, seed: int) -> Chords:
    """Give every third chord another name, and move every boundary a little."""
    generator = np.random.default_rng(seed)
    names = [
        str(generator.choice(CHORDS)) if generator.random() < 1 / 3 else name
        for name in chords.names
    ]
    edges = np.array([*chords.intervals[:, 0], chords.intervals[-1, 1]])
    edges[1:-1] += generator.uniform(-0.4, 0.4, size=len(names) - 1) * np.diff(edges).min()
    return Chords(np.stack([edges[:-1], edges[1:]], axis=1), tuple(names))


def official(reference: Chords, estimate: Chords) -> dict[str, float]:
    scores = mir_eval.chord.evaluate(
        reference.intervals, list(reference.names), estimate.intervals, list(estimate.names)
    )
    return {rule: float(scores[rule]) for rule in ("majmin", "root")}


def ratios(overlaps: dict[str, np.ndarray]) -> dict[str, float]:
    return {rule: float(right / counted) for rule, (right, counted) in overlaps.items()}


def test_the_classes_are_major_minor_and_none_and_are_their_own_names() -> None:
    assert len(CHORDS) == 25
    assert [CHORDS[0], CHORDS[11], CHORDS[12], CHORDS[23], CHORDS[24]] == [
        "C:maj", "B:maj", "C:min", "B:min", "N"
    ]  # fmt: skip
    assert [chord_class(name) for name in CHORDS] == list(range(25))


@pytest.mark.parametrize("quality", sorted({*mir_eval.chord.QUALITIES} - {""}))
def test_every_quality_counts_as_the_triad_that_it_contains(quality: str) -> None:
    added = {**dict.fromkeys(MAJOR, 0), **dict.fromkeys(MINOR, 12)}
    assert (quality in added) != (quality in NEITHER)
    for root, semitones in ROOTS.items():
        expected = semitones + added[quality] if quality in added else IGNORED
        assert chord_class(f"{root}:{quality}") == expected


def test_a_root_alone_is_major_and_x_is_not_n() -> None:
    assert [chord_class(root) for root in ROOTS] == list(ROOTS.values())
    assert (chord_class("N"), chord_class("X")) == (24, IGNORED)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("C/3", "C:maj"),
        ("C:maj/5", "C:maj"),
        ("C:7/b7", "C:maj"),
        ("A:min/b3", "A:min"),
        ("A:min7/b7", "A:min"),
        ("C/2", "C:maj"),  # the bass adds a note, the triad stays
        ("C:maj(4)", "C:maj"),
        ("C:7(#9)", "C:maj"),  # above the octave
        ("C:(1,3,5)", "C:maj"),
        ("C:5/3", "C:maj"),  # a fifth with its third in the bass
        ("C:sus4(b3)", "C:min"),
        ("C:dim(5)", "C:min"),
        ("C:maj(*3)", None),
        ("C:maj(*5)", None),
        ("C:maj(*3,4)", None),
        ("C:maj(b3)", None),  # both triads
        ("C:min/3", None),
        ("C:(1,5)", None),
    ],
)
def test_basses_and_degrees_make_or_break_a_triad(name: str, found: str | None) -> None:
    assert chord_class(name) == (IGNORED if found is None else CHORDS.index(found))


def test_where_mir_eval_s_majmin_has_an_opinion_it_is_the_class() -> None:
    excluded = 0
    qualities = sorted({*mir_eval.chord.QUALITIES} - {""})
    for root, quality, bass in product(("C", "Db", "A#"), qualities, ("", "/3", "/b3", "/b7")):
        name = f"{root}:{quality}{bass}"
        agreement = mir_eval.chord.majmin([name] * 25, list(CHORDS))
        if (agreement < 0).all():
            excluded += 1
        else:
            assert np.flatnonzero(agreement).tolist() == [chord_class(name)]
    assert 0 < excluded < 3 * len(qualities) * 4


@pytest.mark.parametrize("name", ["", "H:maj", "c:maj", "Am7", "C:foo", "C:aug7", "NC", "C:maj/x"])
def test_a_name_that_mir_eval_cannot_read_is_told(name: str) -> None:
    with pytest.raises(ValueError, match=r"a chord must be written in Harte's notation.*Got"):
        chord_class(name)


def test_a_chord_sounds_from_its_start_up_to_its_end() -> None:
    chords = chords_of((0.5, 1.0, "C"), (1.0, 1.0, "D"), (1.0, 2.0, "X"), (3.0, 4.0, "A:min"))
    times = np.array([0.0, 0.49, 0.5, 1.0, 1.99, 2.0, 3.0, 3.99, 4.0])
    assert chords_at(chords, times).tolist() == [-1, -1, 0, 2, 2, -1, 3, 3, -1]
    assert classes_at(chords, times).tolist() == [-1, -1, 0, -1, -1, -1, 21, 21, -1]
    assert classes_at(chords_of(), times).tolist() == [-1] * 9


@pytest.mark.parametrize("seed", range(4))
def test_frames_are_right_as_scikit_learn_and_mir_eval_s_sampling_say(seed: int) -> None:
    reference = song(seed, 31.337, 40)
    estimate = changed(reference, seed)
    times = np.arange(0, 31.337, 0.01)
    right, found = (
        np.array(
            [chord_class(name) for name in mir_eval.util.interpolate_intervals(
                each.intervals, list(each.names), times)]
        )
        for each in (reference, estimate)
    )  # fmt: skip
    counted = right >= 0
    expected = accuracy_score(right[counted], found[counted], normalize=False)
    assert frame_counts(reference, estimate, 100.0).tolist() == [expected, counted.sum()]
    assert 0.3 < expected / counted.sum() < 0.9


def test_frames_of_x_of_gaps_and_behind_the_end_do_not_count_and_those_of_n_do() -> None:
    # At 10 Hz: 10 of C, 10 of X, a gap of 10, 10 of N, and nothing behind 4 s.
    reference = chords_of((0.0, 1.0, "C"), (1.0, 2.0, "X"), (3.0, 4.0, "N"))
    assert frame_counts(reference, chords_of((0, 9, "C")), 10.0).tolist() == [10, 20]
    assert frame_counts(reference, chords_of((0, 9, "N")), 10.0).tolist() == [10, 20]
    # What an estimate leaves out is N; what it ignores is never right.
    assert frame_counts(reference, chords_of((0, 1, "C")), 10.0).tolist() == [20, 20]
    assert frame_counts(reference, chords_of(), 10.0).tolist() == [10, 20]
    assert frame_counts(reference, chords_of((0, 9, "X")), 10.0).tolist() == [0, 20]


@pytest.mark.parametrize("seed", range(6))
def test_seconds_of_a_song_give_mir_eval_s_scores(seed: int) -> None:
    reference = song(seed, 240.0, 120)
    estimate = changed(reference, seed)
    assert ratios(overlap_seconds(reference, estimate)) == pytest.approx(
        official(reference, estimate)
    )
    other = song(100 + seed, 240.0, 90)
    assert ratios(overlap_seconds(reference, other)) == pytest.approx(official(reference, other))


@pytest.mark.parametrize(
    ("start", "end"), [(0.0, 200.0), (0.0, 300.0), (12.5, 240.0), (50.0, 400.0)]
)
def test_an_estimate_of_another_length_is_cut_or_filled_with_n(start: float, end: float) -> None:
    reference = song(1, 240.0, 100, first=10.0)
    estimate = song(2, end, 80, first=start)
    assert ratios(overlap_seconds(reference, estimate)) == pytest.approx(
        official(reference, estimate)
    )


def test_an_empty_estimate_is_n_throughout() -> None:
    reference = song(1, 60.0, 30)
    found = ratios(overlap_seconds(reference, chords_of()))
    assert found == pytest.approx(official(reference, chords_of()))
    assert found["majmin"] > 0


def test_an_estimate_that_never_meets_the_reference_is_n_throughout() -> None:
    reference = song(1, 60.0, 30, first=10.0)
    silence = overlap_seconds(reference, chords_of())
    for estimate in (song(2, 5.0, 10), song(2, 90.0, 10, first=70.0)):
        found = overlap_seconds(reference, estimate)
        assert {rule: each.tolist() for rule, each in found.items()} == {
            rule: pytest.approx(each.tolist()) for rule, each in silence.items()
        }


def test_one_chord_is_scored_as_by_mir_eval() -> None:
    reference = chords_of((0.0, 10.0, "C:maj7/3"))
    assert overlap_seconds(reference, chords_of((0, 4, "C"), (4, 10, "C:min"))) == {
        "majmin": pytest.approx([4, 10]),
        "root": pytest.approx([10, 10]),
    }


def test_a_gap_of_the_reference_is_not_scored_though_mir_eval_holds_the_chord_before() -> None:
    reference = chords_of((0, 4, "C"), (8, 10, "G"))
    estimate = chords_of((0, 8, "C"), (8, 9, "G"), (9, 10, "F"))
    # 4 s of C and 1 of 2 s of G: 5 of 6 s. mir_eval: 9 of 10 s.
    assert overlap_seconds(reference, estimate)["majmin"].tolist() == [5.0, 6.0]
    assert official(reference, estimate)["majmin"] == pytest.approx(0.9)
    marked = chords_of((0, 4, "C"), (4, 8, "X"), (8, 10, "G"))
    assert ratios(overlap_seconds(reference, estimate)) == pytest.approx(official(marked, estimate))


def test_a_gap_of_the_estimate_is_n_though_mir_eval_holds_the_chord_before() -> None:
    reference = chords_of((0, 4, "C"), (4, 10, "N"))
    estimate = chords_of((0, 5, "C"), (9, 10, "D"))
    # 4 s of C, N from 5 to 9 s: 8 of 10 s.
    assert overlap_seconds(reference, estimate)["majmin"].tolist() == [8.0, 10.0]
    marked = chords_of((0, 5, "C"), (5, 9, "N"), (9, 10, "D"))
    assert ratios(overlap_seconds(reference, estimate)) == pytest.approx(
        official(reference, marked)
    )


def test_songs_are_weighted_by_what_counts_of_their_length() -> None:
    # 1 of 2 s right; then 27 of 30 s, of 40 s of which 10 are X: (1 + 27) / (2 + 30).
    songs = [
        (chords_of((0, 2, "C")), chords_of((0, 1, "C:7"), (1, 2, "D"))),
        (
            chords_of((0, 30, "A:min"), (30, 40, "X")),
            chords_of((0, 27, "A:min7"), (27, 40, "A")),
        ),
    ]
    total = sum(overlap_seconds(*each)["majmin"] for each in songs)
    assert isinstance(total, np.ndarray)
    assert total.tolist() == pytest.approx([28.0, 32.0])
    each = [official(*song)["majmin"] for song in songs]
    assert total[0] / total[1] == pytest.approx((2 * each[0] + 30 * each[1]) / 32)


def test_a_reference_without_anything_that_counts_gives_nothing_to_divide() -> None:
    estimate = chords_of((0, 4, "C"))
    for reference in (chords_of(), chords_of((0, 4, "X")), chords_of((1, 1, "C"))):
        assert frame_counts(reference, estimate, 10.0).tolist() == [0, 0]
        overlaps = overlap_seconds(reference, estimate)
        assert {rule: each.tolist() for rule, each in overlaps.items()} == {
            "majmin": [0, 0],
            "root": [0, 0],
        }
