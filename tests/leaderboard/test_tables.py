"""The board from result files on disk: who stands beside whom, and the bytes written."""

import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from marble_eval.errors import MissingError, ValidationError
from marble_eval.leaderboard import CELLS, COLUMNS, board, write_board

EXAMPLE = Path(__file__).parents[1] / "results" / "example_result.json"
Edit = Callable[[dict[str, Any]], object]


def _file(root: Path, name: str, *edits: Edit) -> Path:
    """Write the example under a name, edited."""
    values = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    for edit in edits:
        edit(values)
    path = root / name / "result.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def _deviating(values: dict[str, Any]) -> None:
    values["protocol"].update(conforms=False, deviations=["batch 128 instead of 64"])


def _embedded(values: dict[str, Any]) -> None:
    values["task"].update(name="ToyPitch", column="", embedded=True)


def _without_layer(values: dict[str, Any]) -> None:
    values["grid"] = [point for point in values["grid"] if point["layer"] != "2"]
    values["choices"]["layers"] = ["0", "1", "sum"]


def _without_sum(values: dict[str, Any]) -> None:
    values["grid"] = [point for point in values["grid"] if point["layer"] != "sum"]
    values["choices"]["layers"] = ["0", "1", "2"]


def _runs(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["source"] == "run"]


def test_a_run_stands_beside_the_published_models(tmp_path: Path) -> None:
    tables = board([_file(tmp_path, "a")])
    row = _runs(tables.wide).iloc[0]
    assert (row["encoder"], row["GTZAN"]) == ("toy-encoder", 74.8276)
    assert row[[cell.header for cell in CELLS]].notna().sum() == 1
    assert pd.isna(row["average"])
    assert len(tables.wide) == 11
    assert _runs(tables.long)["metric"].tolist() == ["accuracy", "macro_f1"]
    assert tables.left_out == {}


def test_a_run_of_all_fourteen_tasks_has_an_average(tmp_path: Path) -> None:
    paths = []
    for task in sorted({cell.task for cell in CELLS}):
        metrics = [cell.metric for cell in CELLS if cell.task == task]

        def edit(values: dict[str, Any], task: str = task, metrics: list[str] = metrics) -> None:
            score = values["metrics"]["accuracy"] | {"value": 0.5}
            values["metrics"] = {
                name: score | {"value": 7.0} if name.startswith("sdr_") else score
                for name in metrics
            }
            values["task"].update(name=task, column=task)

        paths.append(_file(tmp_path, task, edit))
    # Thirteen tasks at 50 percent and one at 7 dB.
    average = (13 * 50 + 7) / 14
    assert _runs(board(paths).wide)["average"].tolist() == [pytest.approx(average, abs=1e-4)]
    assert _runs(board(paths[:-1]).wide)["average"].isna().all()


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (_deviating, "did not follow its protocol"),
        (lambda values: values["task"].update(column=""), "no column on MARBLE's board"),
        (lambda values: values["task"].update(column="MyGenres"), "no column on MARBLE's board"),
        (_without_layer, "not the whole grid of layers"),
        (_without_sum, "not the whole grid of layers"),
    ],
)
def test_what_does_not_compare_is_in_the_long_table_alone(
    tmp_path: Path, edit: Edit, reason: str
) -> None:
    tables = board([_file(tmp_path, "a", edit)])
    assert _runs(tables.wide).empty
    assert len(_runs(tables.long)) == 2
    assert tables.left_out == {reason: 1}


def test_logistic_regression_needs_no_learned_sum(tmp_path: Path) -> None:
    path = _file(tmp_path, "a", _without_sum, lambda values: values["probe"].update(name="logreg"))
    assert len(_runs(board([path]).wide)) == 1


def test_an_encoder_of_two_layers_needs_no_learned_sum(tmp_path: Path) -> None:
    def two(values: dict[str, Any]) -> None:
        values["encoder"]["layers"] = ["0", "1"]

    path = _file(tmp_path, "a", _without_sum, _without_layer, two)
    assert len(_runs(board([path]).wide)) == 1


def test_embedded_and_real_results_are_never_in_one_table(tmp_path: Path) -> None:
    paths = [_file(tmp_path, "real"), _file(tmp_path, "embedded", _embedded)]
    real, embedded = board(paths), board(paths, embedded=True)
    assert set(real.long["embedded"]) == {"false"}
    assert "ToyPitch" not in set(real.long["task"])
    assert real.left_out == {"embedded data": 1}
    assert set(embedded.long["task"]) == {"ToyPitch"}
    assert set(embedded.long["source"]) == set(embedded.wide["source"]) == {"run"}
    assert embedded.left_out == {"real data": 1}
    assert embedded.wide["ToyPitch accuracy"].tolist() == [74.8276]
    assert "average" not in embedded.wide


def test_embedded_runs_with_deviations_have_a_row_of_their_own(tmp_path: Path) -> None:
    paths = [_file(tmp_path, "a", _embedded), _file(tmp_path, "b", _embedded, _deviating)]
    wide = board(paths, embedded=True).wide
    assert wide["deviations"].tolist() == ["", "batch 128 instead of 64"]


@pytest.mark.parametrize(
    "edit",
    [
        lambda values: values["encoder"].update(revision="v2"),
        lambda values: values["encoder"].update(precision="bfloat16", fingerprint="00" * 16),
        lambda values: values["features"].update(dtype="float32"),
        lambda values: values["protocol"].update(name="quick"),
        lambda values: values["protocol"].update(version=2),
        lambda values: values["protocol"].update(track="semi-constrained"),
        lambda values: values["probe"].update(name="linear"),
    ],
)
def test_another_revision_number_type_protocol_track_or_probe_is_another_row(
    tmp_path: Path, edit: Edit
) -> None:
    wide = board([_file(tmp_path, "a"), _file(tmp_path, "b", edit)]).wide
    assert _runs(wide)["GTZAN"].tolist() == [74.8276, 74.8276]


def test_fewer_seeds_give_way_to_more(tmp_path: Path) -> None:
    def one_seed(values: dict[str, Any]) -> None:
        values["choices"]["seeds"] = [1234]
        values["metrics"]["accuracy"]["value"] = 0.9

    tables = board([_file(tmp_path, "a", one_seed), _file(tmp_path, "b")])
    assert _runs(tables.wide)["GTZAN"].tolist() == [74.8276]
    assert tables.left_out == {"fewer choices than another result of the cell": 1}
    assert len(_runs(tables.long)) == 4


def test_an_older_task_version_gives_way_to_the_newest(tmp_path: Path) -> None:
    def newer(values: dict[str, Any]) -> None:
        values["task"]["version"] = 2
        values["encoder"].update(name="other", fingerprint="00" * 16)

    tables = board([_file(tmp_path, "a"), _file(tmp_path, "b", newer)])
    assert _runs(tables.wide)["encoder"].tolist() == ["other"]
    assert tables.left_out == {"older version of the task": 1}


@pytest.mark.parametrize(
    ("edit", "rule"),
    [
        (lambda values: None, "must be the only result of its cell"),
        (lambda values: values["choices"].update(seeds=[7, 8]), "must be the only result"),
        (lambda values: values["task"].update(name="GTZAN-mini"), "must belong to one task"),
        (lambda values: values["encoder"].update(fingerprint="00" * 16), "one fingerprint"),
    ],
)
def test_two_results_that_claim_one_cell_are_both_named(
    tmp_path: Path, edit: Edit, rule: str
) -> None:
    first, second = _file(tmp_path, "a"), _file(tmp_path, "b", edit)
    with pytest.raises(ValidationError, match=rule) as caught:
        board([second, first])
    assert str(first) in str(caught.value)
    assert str(second) in str(caught.value)


def test_a_result_that_cannot_be_read_stops_the_board(tmp_path: Path) -> None:
    broken = _file(tmp_path, "a", lambda values: values.pop("unit"))
    with pytest.raises(ValidationError, match=f"^{re.escape(str(broken))}: "):
        board([broken])
    with pytest.raises(MissingError):
        board([tmp_path / "absent" / "result.json"])


def test_the_files_hold_the_tables(tmp_path: Path) -> None:
    tables = board([_file(tmp_path, "a")])
    long, wide = write_board(tables, tmp_path / "leaderboard.csv")
    assert (long.name, wide.name) == ("leaderboard.csv", "leaderboard.wide.csv")
    with long.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    ours = next(row for row in rows if row["source"] == "run" and row["metric"] == "accuracy")
    assert (ours["value"], ours["unit"], ours["n"]) == ("74.8276", "percent", "4")
    assert (ours["setting"], ours["task_version"]) == ("0.001", "1")
    theirs = next(row for row in rows if row["encoder"] == "MERT-v1-95M" and row["task"] == "GTZAN")
    assert (theirs["value"], theirs["n"], theirs["setting"], theirs["low"]) == ("74.8", "", "", "")
    assert b"\r" not in long.read_bytes()


def test_the_same_results_give_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    paths = []
    for name in ("é", "b", "A"):

        def rename(values: dict[str, Any], name: str = name) -> None:
            values["encoder"]["name"] = name

        paths.append(_file(tmp_path, name, rename))
    first = write_board(board(paths), tmp_path / "one.csv")
    second = write_board(board(reversed(paths)), tmp_path / "two.csv")
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("name", ["=1+1", "+x", "-x", "@x", "\tx"])
def test_no_text_cell_starts_a_formula(tmp_path: Path, name: str) -> None:
    def hostile(values: dict[str, Any]) -> None:
        values["encoder"].update(name=name, revision=name, licence=name)
        values["metrics"]["accuracy"].update(value=-0.25, low=-0.5)

    tables = board([_file(tmp_path, "a", hostile)])
    for file in write_board(tables, tmp_path / "leaderboard.csv"):
        with file.open(encoding="utf-8", newline="") as stream:
            row = next(row for row in csv.DictReader(stream) if row["source"] == "run")
        assert row["encoder"] == row["revision"] == f"'{name}"
        assert "-25.0" in row.values()


def test_an_empty_board_is_written_with_its_columns(tmp_path: Path) -> None:
    long, wide = write_board(board([], embedded=True), tmp_path / "leaderboard.csv")
    assert long.read_text(encoding="utf-8") == ",".join(COLUMNS) + "\n"
    assert wide.read_text(encoding="utf-8").startswith("encoder,revision,precision,")


def test_the_leaderboard_does_not_load_torch() -> None:
    code = "import sys, marble_eval.leaderboard as l; l.board([]); print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
