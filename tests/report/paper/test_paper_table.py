"""The table of a paper: the scores and intervals of the records, marked as the leaderboard does."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from marble_eval.report.paper import paper_table
from marble_eval.results.caveats import OtherDeviation
from tests.report.result_files import embedded, example, write, write_classified

GROUPS = [f"artist {number}" for number in range(60)]


def right(wrong: int) -> list[bool]:
    return [number >= wrong for number in range(60)]


@pytest.fixture
def board(tmp_path: Path) -> list[Path]:
    """Write three encoders on 60 tracks: 54 right, 53 of the same right, and 30."""
    return [
        write_classified(tmp_path / name, example(name), right(wrong), GROUPS)
        for name, wrong in (("good", 6), ("equal", 7), ("poor", 30))
    ]


def rows(text: str) -> dict[str, list[str]]:
    """Read the lines of a table by their first cell; an interval goes with the line above."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.sub(r"\\\\(\[2pt\])?$", "", line).split(" & ")]
        if len(cells) < 2:
            continue
        name = cells[0] or name
        found.setdefault(name, []).extend(cells[1:])
    return found


def test_scores_intervals_and_marks_stand_in_the_rows(board: list[Path]) -> None:
    text = paper_table(board)
    found = rows(text)
    assert found["good"] == [r"\textbf{90.0}", r"{\tiny [80.0, 100.0]}"]
    assert found["equal"] == [r"88.3$^{\dagger}$", r"{\tiny [78.3, 98.3]}"]
    assert found["poor"] == ["50.0", r"{\tiny [40.0, 60.0]}"]
    assert text == paper_table([*reversed(board), board[0]])


def test_the_caption_says_rules_items_intervals_and_marks(board: list[Path]) -> None:
    (caption,) = re.findall(r"\\caption\{(.*)\}", paper_table(board))
    for part in (
        "marble-v1@2, constrained", "Test tracks scored: GTZAN 60.", r"(95 \%), resampling",
        "Bold: the best", r"$^{\dagger}$: tied with it", "MARBLE, arXiv 2306.10548",
    ):  # fmt: skip
        assert part in caption
    assert "embedded" not in caption


def test_what_papers_report_stands_below_a_rule_of_its_own(board: list[Path]) -> None:
    text = paper_table(board)
    above, below = text.split(r"\emph{Reported, not run here}")
    assert "MERT-v1-95M" not in above
    assert rows(below)["MERT-v1-95M"] == ["74.8"]
    assert "good" not in below
    assert above.rstrip().splitlines()[-2:][0] == r"\midrule"


def test_every_line_has_as_many_cells_as_the_table_has_columns(board: list[Path]) -> None:
    text = paper_table([*board, *write(board[0].parent / "more", example("good", "EMO"))])
    (columns,) = re.findall(r"\\begin\{tabular\}\{([lc]+)\}", text)
    for line in text.splitlines():
        if line.endswith((r"\\", r"\\[2pt]")) and "multicolumn" not in line:
            assert line.count(" & ") == len(columns) - 1, line


def test_embedded_results_have_a_table_of_their_own(board: list[Path], tmp_path: Path) -> None:
    ours = write(tmp_path / "ours", embedded(example("good", "Toy")))
    tables = paper_table([*board, *ours]).split(r"\begin{table*}")
    assert len(tables) == 3
    assert "All data are embedded" in tables[2]
    assert "GTZAN" not in tables[2]
    assert "Toy" not in tables[1]


def test_runs_that_departed_are_told_apart_and_not_marked(
    board: list[Path], tmp_path: Path
) -> None:
    other = OtherDeviation("batch 128")
    result = example("astray")
    astray = replace(
        result,
        protocol=replace(result.protocol, conforms=False, deviations=(other,)),
    )
    tables = paper_table([*board, *write(tmp_path / "more", astray)]).split(r"\begin{table*}")
    assert len(tables) == 3
    assert "astray" not in tables[1]
    assert "batch 128" in tables[2]
    assert r"\textbf" not in tables[2]


def test_without_predictions_ties_are_not_looked_for_and_no_path_is_told(
    board: list[Path], tmp_path: Path
) -> None:
    board[1].with_name("predictions.parquet").unlink()
    text = paper_table(board)
    assert "% Ties were not tested: predictions are not beside every result." in text
    assert "Ties were not tested." in re.findall(r"\\caption\{(.*)\}", text)[0]
    assert "dagger" not in text
    assert str(tmp_path) not in text


def test_a_main_metric_stands_alone_where_marble_has_no_column(tmp_path: Path) -> None:
    paths = write(tmp_path, embedded(example("a", "Toy")), embedded(example("b", "Toy")))
    text = paper_table(paths)
    assert "accuracy" in text
    assert "macro" not in text


def test_names_are_escaped(tmp_path: Path) -> None:
    text = paper_table(write(tmp_path, example("my_enc & 5 %")))
    assert r"my\_enc \& 5 \%" in text


def test_no_results_make_no_table() -> None:
    assert paper_table([]) == ""
