"""MARBLE's average, against the six averages printed in its tables."""

import pytest

from marble_eval.leaderboard import CELLS, board, task_average

# MARBLE, arXiv 2306.10548, last column of Table 4.
PUBLISHED = {
    "MAP-Music2Vec": 59.9,
    "MERT-v0-95M": 62.3,
    "MERT-v0-95M-public": 63.0,
    "MERT-v1-95M": 63.3,
    "MERT-v1-330M": 64.2,
    "Previous SOTA": 64.5,
}


@pytest.mark.parametrize("encoder", PUBLISHED)
def test_published_averages_are_reproduced_from_the_published_cells(encoder: str) -> None:
    wide = board([]).wide.set_index("encoder")
    assert round(wide.loc[encoder, "average"], 1) == PUBLISHED[encoder]


def test_models_that_miss_a_task_have_no_average() -> None:
    wide = board([]).wide.set_index("encoder")
    assert set(wide.index[wide["average"].isna()]) == {"MusiCNN", "CLMR", "Jukebox-5B", "MULE"}


def test_there_are_fourteen_tasks() -> None:
    assert len({cell.task for cell in CELLS}) == 14
    assert len({cell.header for cell in CELLS}) == len(CELLS) == 23


def test_a_task_with_two_metrics_counts_once() -> None:
    scores = {cell.header: 0.0 for cell in CELLS} | {"EMO V": 14.0}
    # (14 + 0) / 2 for EMO, nothing elsewhere, over 14 tasks.
    assert task_average(scores) == pytest.approx(0.5)
    assert task_average(scores | {"GTZAN": 14.0}) == pytest.approx(1.5)


@pytest.mark.parametrize("header", [cell.header for cell in CELLS])
def test_one_missing_cell_is_no_average(header: str) -> None:
    scores = {cell.header: 50.0 for cell in CELLS if cell.header != header}
    assert task_average(scores) is None
