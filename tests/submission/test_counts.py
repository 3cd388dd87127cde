"""Tracks counted: by the record, by the predictions, and by the card that publishes sizes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from marble_eval.results import Counts, Missing
from marble_eval.submission.counts import check_counts
from marble_eval.submission.predictions import read_table
from marble_eval.submission.submitted import InstalledTasks, Submitted, read_submitted
from tests.submission.true_results import true_result

if TYPE_CHECKING:
    import pandas as pd

LOST = ("2 of 290 test tracks left out",)


def read(path: Path) -> Submitted:
    one, found = read_submitted(path.parent, path.name, InstalledTasks())
    assert one is not None, found
    return one


def table_of(submitted: Submitted) -> pd.DataFrame:
    table, found = read_table(submitted)
    assert table is not None, found
    return table


def found_after(
    submitted: Submitted, table: pd.DataFrame | None = None, **changes: Any
) -> list[str]:
    table = table_of(submitted) if table is None else table
    changed = replace(submitted, result=replace(submitted.result, **changes))
    found, _ = check_counts(changed, table)
    return [f"{each.rule}: {each.got}, {each.expected}" for each in found]


@pytest.fixture(scope="module")
def lossy(tmp_path_factory: pytest.TempPathFactory) -> Submitted:
    """Make a result that misses two test tracks, and says so."""
    return read(true_result(tmp_path_factory.mktemp("lossy"), lost=2))


def test_true_counts_agree(submitted: Submitted, lossy: Submitted) -> None:
    assert found_after(submitted) == []
    assert lossy.result.protocol.deviation_sentences == LOST
    assert found_after(lossy) == []


def test_a_test_set_of_the_wrong_size_is_named_although_all_else_agrees(
    submitted: Submitted,
) -> None:
    """A cheat drops the last ten tracks of test, and counts as if there had never been more."""
    table = table_of(submitted)
    gone = table["id"].isin([f"test/{at:04}" for at in range(280, 290)])
    found = found_after(
        submitted,
        table[~gone],
        counts=Counts(280, 280, ()),
        task=replace(submitted.result.task, sizes={"train": 443, "valid": 197, "test": 280}),
    )
    assert found[0] == "test must have the tracks that the card of GTZAN publishes: 280, 290"
    assert "test must have the items of 'rock' that the card publishes: 22, 32" in found


def test_a_missing_item_that_is_not_named_as_missing_is_found(submitted: Submitted) -> None:
    table = table_of(submitted)
    found = found_after(submitted, table[table["id"] != "test/0003"])
    assert "test must have as many tracks as task.sizes says: 289, 290" in found


def test_a_deleted_deviation_on_lost_tracks_is_named(lossy: Submitted) -> None:
    protocol = replace(lossy.result.protocol, conforms=True, deviations=())
    found = found_after(lossy, protocol=protocol)
    assert found[0] == (
        "protocol.deviations must count every track of counts.missing that has no excuse: "
        "0 tracks left out, 2: 'test/0288', 'test/0289'"
    )


def test_missing_tracks_cannot_be_forgotten_altogether(lossy: Submitted) -> None:
    protocol = replace(lossy.result.protocol, conforms=True, deviations=())
    found = found_after(lossy, protocol=protocol, counts=Counts(288, 288, ()))
    assert "test must have the tracks that the card of GTZAN publishes: 288, 290" in found


def test_a_track_cannot_be_missing_and_scored(lossy: Submitted) -> None:
    missing = (Missing("test/0000", "missing"), Missing("test/0289", "missing"))
    found = found_after(lossy, counts=Counts(290, 288, missing))
    assert (
        "counts.missing must name tracks that were not scored: 'test/0000', which are, others"
        in (found)
    )


def test_the_parts_of_the_count_agree(lossy: Submitted) -> None:
    sizes = {"train": 443, "valid": 197, "test": 290}
    task = replace(lossy.result.task, sizes=sizes)
    assert "task.sizes of 'test' must be counts.scored: 290, 288" in found_after(lossy, task=task)
    missing = (Missing("test/0289", "missing"), Missing("test/0289", "missing"))
    found = found_after(lossy, counts=Counts(290, 288, missing))
    assert found[0].startswith("counts.missing must name a track once")


def test_validation_and_training_have_their_published_sizes_too(submitted: Submitted) -> None:
    for split in ("train", "valid"):
        sizes = {**submitted.result.task.sizes, split: 100}
        found = found_after(submitted, task=replace(submitted.result.task, sizes=sizes))
        assert any(each.startswith(f"{split} must have the tracks that the card") for each in found)
        by_table = any(each.startswith("valid must have as many tracks") for each in found)
        assert by_table == (split == "valid")


def test_an_excused_track_may_be_absent_and_no_other(submitted: Submitted) -> None:
    """GTZAN's jazz.00054 cannot be decoded in the published copy; the card excuses it."""
    assert submitted.task is not None
    (excused,) = submitted.task.spec.may_lack
    table = table_of(submitted)
    sizes = dict(submitted.result.task.sizes)
    sizes[excused.split] -= 1
    scored = sizes["test"]
    found = found_after(
        submitted,
        table[table["id"] != excused.id],
        counts=Counts(scored, scored, ()),
        task=replace(submitted.result.task, sizes=sizes),
    )
    assert found == []


def test_clips_are_counted_by_their_tracks(tmp_path: Path) -> None:
    sizes = {"train": 90, "valid": 30, "test": 40}
    clips = read(true_result(tmp_path, "VocalSetT", sizes=sizes))
    table = table_of(clips)
    assert len(table[table["split"] == "test"]) == 3 * 2 * 40
    assert check_counts(clips, table) == (
        [],
        ["the sizes of the splits; the card of VocalSetT@1 gives none"],
    )
    gone = table["id"].isin(["test/0007#0", "test/0007#1"])
    assert found_after(clips, table[~gone]) == [
        "test must have as many tracks as task.sizes says: 39, 40"
    ]
