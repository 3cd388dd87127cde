"""A table without splits: divided once, groups whole, labels spread, and kept beside it."""

from __future__ import annotations

import csv
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import GroupShuffleSplit

from marble_eval.data.layouts.division import divided, stratified
from marble_eval.data.tracks import unspread_labels
from marble_eval.errors import MarbleError, ValidationError
from marble_eval.files.fingerprint import digest_of
from marble_eval.spec import Label, Track


def tracks_of(labels: Sequence[Label], groups: Sequence[object] | None = None) -> list[Track]:
    names = groups if groups is not None else range(len(labels))
    return [
        Track(f"t{number:03d}", Path(f"t{number}.wav"), "", label, str(group))
        for number, (label, group) in enumerate(zip(labels, names, strict=True))
    ]


def shares(tracks: Sequence[Track], of: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the share of each label in each split."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for each, label in zip(tracks, of, strict=True):
        counts[label][each.split] += 1
    return {
        label: {split: count[split] / count.total() for split in ("train", "valid", "test")}
        for label, count in counts.items()
    }


def refusal(error: type[Exception], tracks: Sequence[Track], table: Path) -> str:
    with pytest.raises(error) as caught:
        divided(tracks, table)
    return str(caught.value)


def test_three_fifths_one_fifth_one_fifth_of_every_class(tmp_path: Path) -> None:
    labels = ["rock"] * 100 + ["jazz"] * 50 + ["folk"] * 10
    tracks = divided(tracks_of(labels), tmp_path / "tracks.csv")
    assert [each.label for each in tracks] == labels
    assert shares(tracks, labels) == {
        name: {"train": 0.6, "valid": 0.2, "test": 0.2} for name in ("rock", "jazz", "folk")
    }


def test_a_group_stays_on_one_side_and_classes_are_spread_over_the_groups(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 5)
    favourite = rng.integers(3, size=60)
    labels = [str(favourite[g]) if rng.random() < 0.8 else str(rng.integers(3)) for g in groups]
    tracks = divided(tracks_of(labels, groups.tolist()), tmp_path / "tracks.csv")
    sides = defaultdict(set)
    for each in tracks:
        sides[each.group].add(each.split)
    assert all(len(splits) == 1 for splits in sides.values())
    for of_label in shares(tracks, labels).values():
        assert of_label["train"] == pytest.approx(0.6, abs=0.06)
        assert of_label["test"] == pytest.approx(0.2, abs=0.06)

    # Better than scikit-learn's division of groups that takes no heed of the classes.
    def unevenness(held_out: Sequence[int]) -> float:
        found = Counter(labels[at] for at in held_out)
        return sum(abs(found[label] - 0.2 * labels.count(label)) for label in "012")

    ours = unevenness([at for at, each in enumerate(tracks) if each.split == "test"])
    blind = [
        unevenness(held_out)
        for _, held_out in GroupShuffleSplit(20, test_size=0.2, random_state=0).split(
            labels, labels, groups
        )
    ]
    assert ours < float(np.mean(blind))


def test_tags_are_spread_by_the_rarest_of_a_track(tmp_path: Path) -> None:
    tags = [("loud",)] * 40 + [("loud", "bell")] * 10 + [()] * 10
    rarest = ["loud"] * 40 + ["bell"] * 10 + ["none"] * 10
    tracks = divided(tracks_of(tags), tmp_path / "tracks.csv")
    assert shares(tracks, rarest)["bell"] == {"train": 0.6, "valid": 0.2, "test": 0.2}
    assert shares(tracks, rarest)["none"] == {"train": 0.6, "valid": 0.2, "test": 0.2}


def test_numbers_are_spread_by_fifths_of_their_mean(tmp_path: Path) -> None:
    values = np.sort(np.random.default_rng(0).normal(size=(100, 2)), axis=0)
    tracks = divided(tracks_of([tuple(row.tolist()) for row in values]), tmp_path / "tracks.csv")
    fifth = np.argsort(np.argsort(values.mean(axis=1))) // 20
    for of_fifth in shares(tracks, [str(each) for each in fifth]).values():
        assert of_fifth["test"] == pytest.approx(0.2, abs=0.051)


def test_the_order_of_the_rows_does_not_matter() -> None:
    tracks = tracks_of(["a", "b"] * 30, [at // 3 for at in range(60)])
    assert stratified(tracks, Path("t")) == stratified(tracks[::-1], Path("t"))


@pytest.mark.parametrize("count", [3, 4, 5])
def test_a_class_of_three_groups_is_in_all_splits(count: int, tmp_path: Path) -> None:
    for size in (20, 60, 200):
        labels = ["a"] * size + ["b"] * (size // 2) + ["rare"] * count + ["pair"] * 2
        tracks = divided(tracks_of(labels), tmp_path / f"{size} {count}.csv")
        found = shares(tracks, labels)
        assert set(found["rare"]) == set(found["a"]) == {"train", "valid", "test"}
        assert sum(each.split == "test" for each in tracks) == pytest.approx(len(labels) / 5, abs=2)
        told = unspread_labels(tracks)
        assert len(told) == 1
        assert told[0].startswith("label 'pair' is not in all splits: ")


def test_a_hundred_classes_of_three_and_tags_in_groups_are_in_all_splits() -> None:
    labels: list[Label] = [f"class {number % 100}" for number in range(300)]
    tracks = tracks_of(labels)
    splits = stratified(tracks, Path("t"))
    assert len({(each.label, splits[each.id]) for each in tracks}) == 300
    rng = np.random.default_rng(1)
    names = [f"tag {number}" for number in range(20)]
    tags: list[Label] = [
        tuple(name for number, name in enumerate(names) if rng.random() < 0.4 / (1 + number))
        for _ in range(400)
    ]
    tracks = tracks_of(tags, [number // 4 for number in range(400)])
    splits = stratified(tracks, Path("t"))
    there = defaultdict(set)
    groups = defaultdict(set)
    for each in tracks:
        for tag in each.label:
            there[tag].add(splits[each.id])
            groups[tag].add(each.group)
    assert all(len(there[tag]) == 3 for tag in names if len(groups[tag]) >= 3)


def test_what_was_spread_before_is_divided_as_before() -> None:
    tracks = tracks_of(["a", "b", "c"] * 20, [at // 2 for at in range(60)])
    splits = stratified(tracks, Path("t"))
    assert digest_of(splits) == "ea55745887a6c97b5277f7c1f74ac5f3"  # as version 0.1.0 did


@pytest.mark.parametrize("rare", [1, 4, 7])
def test_rare_classes_are_no_trouble(rare: int) -> None:
    labels = ["a"] * 30 + [f"rare {number}" for number in range(rare)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # scikit-learn warns of classes smaller than five
        splits = stratified(tracks_of(labels), Path("t"))
    assert Counter(splits.values())["train"] == pytest.approx(0.6 * len(labels), abs=1.5)


# --- kept ---


def test_the_division_is_written_once_and_used_again(tmp_path: Path) -> None:
    table = tmp_path / "tracks.csv"
    tracks = tracks_of(["a", "b"] * 10)
    first = divided(tracks, table)
    kept = tmp_path / "tracks.split.csv"
    with kept.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["id", "split"]
    assert rows[1:] == [[each.id, each.split] for each in first]
    assert {path.name for path in tmp_path.iterdir()} == {"tracks.split.csv"}

    rows[1][1], rows[2][1] = "test", "test"  # somebody's own wish
    kept.write_text("\n".join(",".join(row) for row in rows) + "\n")
    again = divided(tracks, table)
    assert [each.split for each in again] == ["test", "test", *(row[1] for row in rows[3:])]


def test_the_division_goes_with_the_table_to_another_folder(tmp_path: Path) -> None:
    tracks = tracks_of(["a", "b"] * 10)
    (tmp_path / "x").mkdir()
    (tmp_path / "y").mkdir()
    divided(tracks, tmp_path / "x" / "tracks.csv")
    divided(tracks, tmp_path / "y" / "tracks.csv")
    x, y = (tmp_path / name / "tracks.split.csv" for name in "xy")
    assert x.read_bytes() == y.read_bytes()


def test_a_division_of_other_tracks_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "tracks.csv"
    tracks = tracks_of(["a", "b"] * 10)
    divided(tracks, table)
    told = refusal(ValidationError, tracks[1:], table)
    assert told.startswith(f"{tmp_path / 'tracks.split.csv'}: must divide the tracks of tracks.csv")
    assert "Got 0 tracks that it lacks and 1 that are gone, for instance 't000'." in told
    more = [*tracks, Track("new", Path("new.wav"), "", "a", "new")]
    told = refusal(ValidationError, more, table)
    assert "Got 1 tracks that it lacks and 0 that are gone, for instance 'new'." in told
    assert "Add a line for each, or delete it, and the table is divided anew" in told
    (tmp_path / "tracks.split.csv").unlink()
    assert len(divided(more, table)) == 21


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": must have the columns id, split. Got None. Delete it"),
        ("name,split\nt000,train\n", ": must have the columns id, split. Got ['name', 'split']."),
        ("id,split\nt000,dev\n", ": 'split' must be one of train, valid, test. Got 'dev'."),
        ("id,split\nt000\n", ": 'split' must be one of train, valid, test. Got 'None'."),
        (
            "id,split\nt000,train\nt000,test\n",
            ": an id must be there once. Got 2 lines for 1 ids. Take one of each out.",
        ),
    ],
)
def test_a_kept_division_that_is_none_is_refused(tmp_path: Path, text: str, message: str) -> None:
    kept = tmp_path / "tracks.split.csv"
    kept.write_text(text)
    told = refusal(ValidationError, tracks_of(["a"]), tmp_path / "tracks.csv")
    assert told.startswith(f"{kept}{message}")


def test_a_folder_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    told = refusal(MarbleError, tracks_of(["a"] * 10), tmp_path / "tracks.csv")
    assert told == (
        f"{tmp_path / 'tracks.split.csv'}: the division of the table must be kept beside it. Got "
        f"Permission denied. Add a 'split' column to the table, or make its folder writable."
    )


# --- what cannot be divided ---


@pytest.mark.parametrize("groups", [1, 4, 9])
def test_few_groups_are_refused_before_anything_is_kept(tmp_path: Path, groups: int) -> None:
    tracks = tracks_of(["a", "b"] * 20, [at % groups for at in range(40)])
    told = refusal(ValidationError, tracks, tmp_path / "tracks.csv")
    assert told == (
        f"{tmp_path / 'tracks.csv'}: must have 10 or more groups to be divided. Got {groups}. "
        f"Add a 'split' column with train, valid, test."
    )
    assert list(tmp_path.iterdir()) == []


def test_ten_groups_of_one_size_are_enough(tmp_path: Path) -> None:
    tracks = divided(tracks_of(["a", "b"] * 20, [at // 4 for at in range(40)]), tmp_path / "t.csv")
    held = {split: {each.group for each in tracks if each.split == split} for split in
            ("train", "valid", "test")}  # fmt: skip
    assert {split: len(groups) for split, groups in held.items()} == {
        "train": 6,
        "valid": 2,
        "test": 2,
    }


def test_a_group_too_large_for_a_fold_of_others_is_told(tmp_path: Path) -> None:
    """Four artists with nearly all tracks: one of them at least is alone in validation or test."""
    groups = [*(name for name in "ABCD" for _ in range(30)), *range(9)]
    tracks = tracks_of(["a"] * len(groups), groups)
    told = refusal(ValidationError, tracks, tmp_path / "tracks.csv")
    assert told.startswith(f"{tmp_path / 'tracks.csv'}: cannot be divided by rule, since ")
    assert told.endswith("Add a 'split' column with train, valid, test.")
    assert list(tmp_path.iterdir()) == []
