"""Keys: their names, and both scores of all 576 pairs."""

from __future__ import annotations

import mir_eval.key
import numpy as np
import pytest

from marble_eval.metrics.key import KEYS, key_index, mirex_score, weighted_score

#: Points by the interval from the reference up to the estimate, in semitones, worked by hand.
#: For a major reference C: C 1, F and G 0.5 (both major); A minor 0.3, C minor 0.2. For a
#: minor reference A: A 1, D and E 0.5 (both minor); C major 0.3, A major 0.2.
MIREX_SAME_MODE = {0: 1.0, 5: 0.5, 7: 0.5}
MIREX_MAJOR_TO_MINOR = {9: 0.3, 0: 0.2}
MIREX_MINOR_TO_MAJOR = {3: 0.3, 0: 0.2}


def _one(score: object, reference: int, estimate: int) -> float:
    return float(score(np.array([reference]), np.array([estimate])))  # type: ignore[operator]


# --- names ---


def test_keys_stand_in_marble_s_order() -> None:
    assert len(KEYS) == 24
    assert KEYS[:3] == ("C major", "Db major", "D major")
    assert KEYS[11:14] == ("B major", "C minor", "Db minor")
    assert [key_index(name) for name in KEYS] == list(range(24))


@pytest.mark.parametrize(
    ("spellings", "key"),
    [
        (("C", "C major", "Cmaj", "C:maj", "c major", "CM", "C MAJOR", "B# major"), "C major"),
        (("Am", "A minor", "a minor", "Amin", "A:min", "a:min", "A-minor", "am"), "A minor"),
        (("F# minor", "Gb minor", "f#:min", "F♯m", "g♭ minor", "F#min", "F#_minor"), "Gb minor"),
        (("A maj", "A major", "A", " A Major ", "A\tmajor"), "A major"),
        (("d# minor", "Eb minor", "D#m", "ebm", "E♭:min"), "Eb minor"),
        (("Bb", "A#", "B♭ major", "bb major", "bbmaj", "B- major", "B-"), "Bb major"),
        (("b minor", "Bm", "bm", "B-minor", "B - minor", "Cb minor", "B Min"), "B minor"),
        (("bb minor", "bbm", "A# minor", "b- minor"), "Bb minor"),
        (("Ab", "G#", "ab major", "Ab:maj"), "Ab major"),
        (("Fb", "E"), "E major"),
        (("E# minor", "f minor"), "F minor"),
    ],
)
def test_usual_spellings_are_read(spellings: tuple[str, ...], key: str) -> None:
    assert {KEYS[key_index(each)] for each in spellings} == {key}


@pytest.mark.parametrize(
    "name",
    ["", " ", "X", "H minor", "C dorian", "C other", "minor", "C#b", "F## minor", "C major minor",
     "C/G", "A major / A minor", "C:", "c", "bb", "12", "C6", "Cm7", "Dim", "B-- major",
     "B--major"],
)  # fmt: skip
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a key must be a tonic") as refusal:
        key_index(name)
    assert f"Got {name!r}." in str(refusal.value)


def test_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(ValueError, match="Got nan"):
        key_index(float("nan"))  # type: ignore[arg-type]


# --- scores ---


def test_weighted_score_is_mir_eval_s_for_every_pair() -> None:
    for reference in range(24):
        for estimate in range(24):
            expected = mir_eval.key.weighted_score(KEYS[reference], KEYS[estimate])
            assert _one(weighted_score, reference, estimate) == expected


def test_mirex_score_is_the_table_for_every_pair() -> None:
    for reference in range(24):
        for estimate in range(24):
            (low, first), (high, second) = divmod(reference, 12), divmod(estimate, 12)
            table = {
                (0, 0): MIREX_SAME_MODE,
                (1, 1): MIREX_SAME_MODE,
                (0, 1): MIREX_MAJOR_TO_MINOR,
                (1, 0): MIREX_MINOR_TO_MAJOR,
            }[low, high]
            expected = table.get((second - first) % 12, 0.0)
            assert _one(mirex_score, reference, estimate) == expected


@pytest.mark.parametrize(
    ("reference", "estimate", "published", "mirex"),
    [
        ("C major", "C major", 1.0, 1.0),
        ("C major", "G major", 0.5, 0.5),
        ("C major", "F major", 0.0, 0.5),
        ("A minor", "E minor", 0.5, 0.5),
        ("A minor", "D minor", 0.0, 0.5),
        ("C major", "A minor", 0.3, 0.3),
        ("A minor", "C major", 0.3, 0.3),
        ("C major", "C minor", 0.2, 0.2),
        ("C minor", "C major", 0.2, 0.2),
        ("C major", "G minor", 0.0, 0.0),
        ("C major", "Eb minor", 0.0, 0.0),
    ],
)
def test_hand_worked_pairs(reference: str, estimate: str, published: float, mirex: float) -> None:
    pair = key_index(reference), key_index(estimate)
    assert _one(weighted_score, *pair) == published
    assert _one(mirex_score, *pair) == mirex


def test_the_two_scores_differ_on_descending_fifths_alone() -> None:
    reference, estimate = (each.ravel() for each in np.divmod(np.arange(576), 24))
    differ = [
        (KEYS[low], KEYS[high])
        for low, high in zip(reference, estimate, strict=True)
        if _one(weighted_score, low, high) != _one(mirex_score, low, high)
    ]
    assert len(differ) == 24
    assert ("G minor", "C minor") in differ


def test_mirex_score_is_the_same_either_way_round() -> None:
    reference, estimate = (each.ravel() for each in np.divmod(np.arange(576), 24))
    for pair in zip(reference, estimate, strict=True):
        assert _one(mirex_score, *pair) == _one(mirex_score, *reversed(pair))


def test_the_score_of_a_split_is_the_mean() -> None:
    reference = np.array([0, 0, 0, 0, 0])
    estimate = np.array([0, 7, 5, 21, 12])
    assert weighted_score(reference, estimate) == pytest.approx((1 + 0.5 + 0 + 0.3 + 0.2) / 5)
    assert mirex_score(reference, estimate) == pytest.approx((1 + 0.5 + 0.5 + 0.3 + 0.2) / 5)


def test_weights_say_how_often_an_item_counts() -> None:
    reference, estimate = np.array([0, 0, 0]), np.array([0, 5, 21])
    weights = np.array([[[1, 1, 1], [2, 0, 1]], [[0, 3, 0], [0, 0, 1]]])
    expected = [[1.3 / 3, 2.3 / 3], [0.0, 0.3]]
    np.testing.assert_allclose(weighted_score(reference, estimate, weights=weights), expected)
    expected = [[1.8 / 3, 2.3 / 3], [0.5, 0.3]]
    np.testing.assert_allclose(mirex_score(reference, estimate, weights=weights), expected)


def test_unsigned_classes_do_not_wrap() -> None:
    reference, estimate = np.array([11], dtype=np.uint8), np.array([6], dtype=np.uint8)
    assert weighted_score(reference, estimate) == 0.5  # B major to Gb major, a fifth up


def test_keys_out_of_range_and_empty_references_are_refused() -> None:
    with pytest.raises(ValueError, match=r"reference must lie in 0 to 23\. Got 24 to 24"):
        weighted_score(np.array([24]), np.array([0]))
    with pytest.raises(ValueError, match="estimate must lie in 0 to 23"):
        mirex_score(np.array([0]), np.array([-1]))
    nothing = np.array([], dtype=np.int64)
    with pytest.raises(ValueError, match="at least one item"):
        mirex_score(nothing, nothing)
    with pytest.raises(ValueError, match="same items"):
        weighted_score(np.array([0]), np.array([0, 1]))
