"""The averages, against those printed in the tables of two papers."""

import numpy as np
import pytest

from marble_eval.leaderboard import (
    MARBLE_COLUMNS,
    averaged_columns,
    board,
    flat_average,
    task_average,
    wide_table,
)

# MARBLE, arXiv 2306.10548, last column of Table 4.
PUBLISHED = {
    "MAP-Music2Vec": 59.9,
    "MERT-v0-95M": 62.3,
    "MERT-v0-95M-public": 63.0,
    "MERT-v1-95M": 63.3,
    "MERT-v1-330M": 64.2,
    "Previous SOTA": 64.5,
}
# MuQ, arXiv 2501.01108, Tables 1 and 2, last column: the mean of its eleven columns.
PUBLISHED_FLAT = {
    "MERT (MuQ paper)": 74.4,
    "MusicFM (MuQ paper)": 75.4,
    "MuQ Music4All (MuQ paper)": 75.8,
    "MuQ (MuQ paper)": 76.7,
    "MuQ iter (MuQ paper)": 77.0,
}


def _averages(name: str) -> dict[str, float]:
    """Collect an average from the wide tables of all sections."""
    tables = [wide_table(section) for section in board([]).sections]
    return {
        encoder: value
        for table in tables
        if name in table
        for encoder, value in zip(table["encoder"], table[name], strict=True)
        if not np.isnan(value)
    }


def test_published_averages_are_reproduced_from_the_published_cells() -> None:
    found = _averages("average")
    assert {encoder: round(value, 1) for encoder, value in found.items()} == PUBLISHED


def test_muq_s_averages_are_the_flat_ones_of_its_own_table() -> None:
    found = {each: value for each, value in _averages("flat_average").items() if "MuQ" in each}
    assert {encoder: round(value, 1) for encoder, value in found.items()} == PUBLISHED_FLAT


def test_models_that_miss_a_task_have_no_average() -> None:
    wide = board([]).wide.set_index("encoder")
    missing = {"MusiCNN", "CLMR", "Jukebox-5B", "MULE"}
    assert set(wide.index[wide["average"].isna()]) == missing
    assert set(wide.index[wide["flat_average"].isna()]) == missing


def test_there_are_fourteen_tasks() -> None:
    assert len({cell.task for cell in MARBLE_COLUMNS}) == 14
    assert len({cell.header for cell in MARBLE_COLUMNS}) == len(MARBLE_COLUMNS) == 23


def test_a_task_with_two_metrics_counts_once() -> None:
    scores = {cell.header: 0.0 for cell in MARBLE_COLUMNS} | {"EMO V": 14.0}
    # (14 + 0) / 2 for EMO, nothing elsewhere, over 14 tasks.
    assert task_average(scores) == pytest.approx(0.5)
    assert task_average(scores | {"GTZAN": 14.0}) == pytest.approx(1.5)


@pytest.mark.parametrize("header", [cell.header for cell in MARBLE_COLUMNS])
def test_one_missing_cell_is_no_average(header: str) -> None:
    scores = {cell.header: 50.0 for cell in MARBLE_COLUMNS if cell.header != header}
    assert task_average(scores) is None


def test_the_flat_average_counts_each_column_once_and_no_decibels() -> None:
    assert len(averaged_columns(MARBLE_COLUMNS)) == 19
    scores = {cell.header: 0.0 for cell in MARBLE_COLUMNS} | {"EMO V": 19.0, "SDR bass": 1000.0}
    assert flat_average(scores, averaged_columns(MARBLE_COLUMNS)) == pytest.approx(1.0)
    del scores["EMO A"]
    assert flat_average(scores, averaged_columns(MARBLE_COLUMNS)) is None


def test_arrays_of_resamples_are_averaged_like_single_scores() -> None:
    generator = np.random.default_rng(0)
    scores = {cell.header: generator.uniform(0, 100, size=5) for cell in MARBLE_COLUMNS}
    found = task_average(scores)
    one_by_one = [
        task_average({header: float(values[at]) for header, values in scores.items()})
        for at in range(5)
    ]
    assert found is not None
    np.testing.assert_allclose(found, np.array(one_by_one, dtype=float))
