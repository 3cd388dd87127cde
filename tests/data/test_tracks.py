"""Tracks held against their card: ids, labels, groups, splits and counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from marble_eval.data.tracks import check_tracks, counted_tracks, groups_astride, track_faults
from marble_eval.errors import ValidationError
from marble_eval.spec import SPLITS, Label, TaskSpec, Track, from_mapping
from tests.conftest import SMALL_CARD

HERE = Path(__file__)  # some file that is there


def tracks_of(counts: Mapping[str, Mapping[str, int]]) -> list[Track]:
    return [
        Track(f"{split}-{label}-{take}", HERE, split, label, f"{split}-{label}-{take}")
        for split, labels in counts.items()
        for label, count in labels.items()
        for take in range(count)
    ]


WHOLE = {
    "train": {"flute": 8, "clarinet": 8, "organ": 8},
    "valid": {"flute": 4, "clarinet": 4, "organ": 4},
    "test": {"flute": 4, "clarinet": 4, "organ": 4},
}
SPEC = from_mapping(TaskSpec, yaml.safe_load(SMALL_CARD), "card")


def excusing(*ids: str) -> TaskSpec:
    values = yaml.safe_load(SMALL_CARD)
    values["may_lack"] = [
        {"id": name, "split": "train", "label": "organ", "reason": "corrupt"} for name in ids
    ]
    return from_mapping(TaskSpec, values, "card")


def faults(tracks: Sequence[Track], spec: TaskSpec = SPEC) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        check_tracks(tracks, spec, Path("data/small"))
    first, *lines = str(caught.value).split("\n  ")
    assert first == "data/small: does not follow the card of Small:"
    return lines


def test_the_whole_set_passes() -> None:
    check_tracks(tracks_of(WHOLE), SPEC, Path("x"))


def test_a_track_too_few_or_too_many_is_counted_by_split_and_label() -> None:
    assert faults(tracks_of(WHOLE)[:-1]) == [
        "test must have 12 tracks. Got 11.",
        "test must have 4 of 'organ'. Got 3.",
    ]
    more = {**WHOLE, "valid": {**WHOLE["valid"], "flute": 6}}
    assert faults(tracks_of(more)) == [
        "valid must have 12 tracks. Got 14.",
        "valid must have 4 of 'flute'. Got 6.",
    ]


def test_a_label_in_another_s_place_is_found_although_the_size_is_right() -> None:
    swapped = {**WHOLE, "test": {"flute": 5, "clarinet": 3, "organ": 4}}
    assert faults(tracks_of(swapped)) == [
        "test must have 4 of 'flute'. Got 5.",
        "test must have 4 of 'clarinet'. Got 3.",
    ]


def test_an_empty_split_is_named_and_counts_may_be_unknown() -> None:
    unknown = dataclasses.replace(SPEC, sizes={}, label_counts={})
    check_tracks(tracks_of(WHOLE)[::2], unknown, Path("x"))
    assert faults([each for each in tracks_of(WHOLE) if each.split != "valid"]) == [
        "valid has no track."
    ]
    assert faults([], unknown) == [f"{split} has no track." for split in SPLITS]


def test_an_excused_track_may_be_there_or_not_but_no_other_in_its_place() -> None:
    spec = excusing("train-organ-7")
    whole = tracks_of(WHOLE)
    check_tracks(whole, spec, Path("x"))
    without = [each for each in whole if each.id != "train-organ-7"]
    check_tracks(without, spec, Path("x"))
    assert faults(without[1:], spec) == [
        "train must have 24 tracks, or 23 without train-organ-7. Got 22.",
        "train must have 8 of 'flute'. Got 7.",
    ]
    assert faults(whole[1:], spec) == [
        "train must have 24 tracks. Got 23.",
        "train must have 8 of 'flute'. Got 7.",
    ]


def test_of_several_excused_tracks_any_may_be_absent() -> None:
    names = ["train-organ-5", "train-organ-6", "train-organ-7"]
    spec = excusing(*names)
    for absent in ([], names[:1], names[1:], names):
        there = [each for each in tracks_of(WHOLE) if each.id not in absent]
        check_tracks(there, spec, Path("x"))


def test_unknown_labels_and_splits_get_near_misses() -> None:
    tracks = tracks_of(WHOLE)
    tracks[0] = dataclasses.replace(tracks[0], label="flut")
    told = faults(tracks)
    assert told[0] == (
        "unknown label 'flut' of train-flute-0. Did you mean 'flute'? "
        "Known: clarinet, flute, organ."
    )
    assert "train must have 8 of 'flute'. Got 7." in told
    tracks = [*tracks_of(WHOLE), dataclasses.replace(tracks[1], id="new", group="g", split="val")]
    assert faults(tracks) == ["'split' must be one of train, valid, test. Got val."]


def test_an_id_given_twice_is_refused() -> None:
    tracks = tracks_of(WHOLE)
    tracks[1] = tracks[0]
    assert faults(tracks) == ["ids must be unique; twice or more: train-flute-0"]


def test_a_group_on_two_sides_of_a_split_is_refused() -> None:
    tracks = tracks_of(WHOLE)
    for place in (0, 1, -1):
        tracks[place] = dataclasses.replace(tracks[place], group="Ann")
    assert faults(tracks) == ["a group must stay in one split; astride: Ann"]


def test_all_faults_come_in_one_list() -> None:
    tracks = tracks_of(WHOLE)
    tracks[1] = tracks[0]
    tracks[-1] = dataclasses.replace(tracks[-1], label="drum", group=tracks[0].group)
    assert [each.split(";")[0] for each in faults(tracks)] == [
        "ids must be unique",
        "unknown label 'drum' of test-organ-3. Known: clarinet, flute, organ.",
        "a group must stay in one split",
        "test must have 4 of 'organ'. Got 3.",
    ]


def test_missing_files_are_named_beside_other_faults_only(tmp_path: Path) -> None:
    tracks = [dataclasses.replace(each, path=Path("x.wav")) for each in tracks_of(WHOLE)]
    check_tracks(tracks, SPEC, tmp_path)  # none of the files is there: the survey will say so
    told = faults([*tracks, tracks[0]])
    assert told[-1] == "missing files: x.wav, x.wav, x.wav, x.wav, x.wav and 44 more"


def test_of_many_examples_five_are_named(tmp_path: Path) -> None:
    unknown = dataclasses.replace(SPEC, sizes={}, label_counts={}, labels=("a", "b"))
    told = track_faults(tracks_of(WHOLE), unknown)
    assert [each.split(". ")[0] for each in told] == [
        "unknown label 'clarinet' of train-clarinet-0, train-clarinet-1, train-clarinet-2, "
        "train-clarinet-3, train-clarinet-4 and 11 more",
        "unknown label 'flute' of train-flute-0, train-flute-1, train-flute-2, train-flute-3, "
        "train-flute-4 and 11 more",
        "unknown label 'organ' of train-organ-0, train-organ-1, train-organ-2, train-organ-3, "
        "train-organ-4 and 11 more",
    ]


@pytest.mark.parametrize("split", ["valid", "test"])
def test_an_interval_needs_two_groups(split: str) -> None:
    tracks = [
        dataclasses.replace(each, group="Ann") if each.split == split else each
        for each in tracks_of(WHOLE)
    ]
    assert faults(tracks) == [f"{split} must have two or more groups, for an interval. Got one."]
    alone = [
        dataclasses.replace(each, group="Ann") if each.split == "train" else each
        for each in tracks_of(WHOLE)
    ]
    check_tracks(alone, SPEC, Path("x"))


def plain(kind: str, labels: Sequence[str], **changes: Any) -> TaskSpec:
    return TaskSpec(name="Mine", kind=kind, labels=tuple(labels), **changes)


def labelled(*labels: Label, recording: str = "") -> list[Track]:
    """Return tracks with these labels in every split, each a group of its own."""
    return [
        Track(f"{split}-{at}", HERE, split, label, f"{split}-{at}", recording)
        for split in SPLITS
        for at, label in enumerate(labels)
    ]


def test_every_tag_must_be_known_and_is_counted_by_itself() -> None:
    counts = dict.fromkeys(SPLITS, (2, 1))
    spec = plain("tagging", ["bell", "drone"], sizes=dict.fromkeys(SPLITS, 3), label_counts=counts)
    check_tracks(labelled(("bell",), ("bell", "drone"), ()), spec, Path("x"))
    told = track_faults(labelled(("bell",), ("bel", "drone"), ()), spec)
    assert told[0].startswith(
        "unknown label 'bel' of train-1, valid-1, test-1. Did you mean 'bell'"
    )
    assert told[1:] == [f"{split} must have 2 of 'bell'. Got 1." for split in SPLITS]


def test_numbers_are_no_names() -> None:
    spec = plain("regression", ["arousal", "valence"])
    check_tracks(labelled((1.0, 2.0), (3.0, 4.0)), spec, Path("x"))


def test_pieces_of_a_recording_count_as_one_where_the_card_counts_recordings() -> None:
    whole = [
        Track(f"{split}-{song}-{piece}", HERE, split, "a", f"{split}-{song}", f"{split}-{song}")
        for split in SPLITS
        for song in range(3)
        for piece in range(4)
    ]
    spec = plain("classification", ["a", "b"], counted="recording")
    spec = dataclasses.replace(
        spec, sizes=dict.fromkeys(SPLITS, 3), label_counts=dict.fromkeys(SPLITS, (3, 0))
    )
    check_tracks(whole, spec, Path("x"))
    assert [each.recording for each in counted_tracks(whole[:12], spec)][::-1] == [
        "train-0",
        "train-1",
        "train-2",
    ]
    assert track_faults(whole[4:], spec)[0] == "train must have 3 recordings. Got 2."
    by_track = dataclasses.replace(spec, counted="track")
    assert track_faults(whole, by_track)[0] == "train must have 3 tracks. Got 12."


def test_groups_astride_are_found_in_the_order_of_the_tracks() -> None:
    tracks = labelled("a", "b", "c")
    moved = [
        dataclasses.replace(each, group=group)
        for each, group in zip(tracks, ["Bob", "Ann", "x", "Ann", "Bob", "y", "z", "z", "z"],
                               strict=True)
    ]  # fmt: skip
    assert groups_astride(moved) == ["Bob", "Ann"]
    assert groups_astride(tracks) == []
