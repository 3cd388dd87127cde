"""The board from result files on disk: which section each result stands in."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from marble_eval.errors import MissingError, ValidationError
from marble_eval.leaderboard import MARBLE_COLUMNS, board, published_scores
from tests.leaderboard.conftest import (
    Edit,
    deviating,
    embedded,
    example_file,
    named,
    scores,
    task,
)

MAIN = "MARBLE, marble-v1@2, constrained"


def _runs(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["source"] == "run"]


def test_a_run_stands_beside_the_published_models(tmp_path: Path) -> None:
    tables = board([example_file(tmp_path, "a")])
    row = _runs(tables.wide).iloc[0]
    assert (row["encoder"], row["GTZAN"]) == ("toy-encoder", 74.8276)
    assert row[[cell.header for cell in MARBLE_COLUMNS]].notna().sum() == 1
    assert pd.isna(row["average"])
    assert len(tables.wide) == 1 + 9  # of MARBLE's ten rows one is unconstrained
    assert _runs(tables.long)["metric"].tolist() == ["accuracy", "macro_f1"]
    assert set(_runs(tables.long)["section"]) == {MAIN}
    assert tables.left_out == {}


def test_a_run_of_all_fourteen_tasks_has_both_averages(tmp_path: Path) -> None:
    paths = []
    for name in sorted({cell.task for cell in MARBLE_COLUMNS}):
        metrics = [cell.metric for cell in MARBLE_COLUMNS if cell.task == name]
        values = {each: 7.0 if each.startswith("sdr_") else 0.5 for each in metrics}
        paths.append(example_file(tmp_path, name, scores(**values), task(name, name)))
    wide = _runs(board(paths).wide)
    # Thirteen tasks at 50 percent and one at 7 dB.
    assert wide["average"].tolist() == [pytest.approx((13 * 50 + 7) / 14, abs=1e-4)]
    assert wide["flat_average"].tolist() == [50.0]
    fewer = _runs(board(paths[:-1]).wide)
    assert fewer[["average", "flat_average"]].isna().all(axis=None)
    for path in paths:
        values = json.loads(path.read_text(encoding="utf-8"))
        deviating(values)
        path.write_text(json.dumps(values), encoding="utf-8")
    apart = next(section for section in board(paths).sections if "deviations" in section.title)
    assert len(apart.models[0].scores) == len(MARBLE_COLUMNS)
    assert apart.averages == () and apart.models[0].averages == {}


def test_embedded_and_real_results_are_never_on_one_board(tmp_path: Path) -> None:
    paths = [example_file(tmp_path, "real"), example_file(tmp_path, "embedded", embedded)]
    real, toy = board(paths), board(paths, embedded=True)
    assert set(real.long["embedded"]) == {"false"}
    assert "ToyPitch" not in set(real.long["task"])
    assert real.left_out == {"embedded data": 1}
    assert set(toy.long["task"]) == {"ToyPitch"}
    assert set(toy.long["source"]) == set(toy.wide["source"]) == {"run"}
    assert toy.left_out == {"real data": 1}
    assert toy.wide["ToyPitch accuracy"].tolist() == [74.8276]
    assert "average" not in toy.wide
    assert len(toy.sections) == 1


def test_embedded_tasks_are_averaged_only_where_a_model_has_them_all(tmp_path: Path) -> None:
    paths = [
        example_file(tmp_path, f"{name}{toy}", named(name), task(toy, embedded=True), scores(a=0.5))
        for name, toy in (("x", "A"), ("x", "B"), ("y", "A"))
    ]
    wide = board(paths, embedded=True).wide.set_index("encoder")
    # "a" is no share, so it is given as it is and not averaged.
    assert wide.loc["x", ["A a", "B a"]].tolist() == [0.5, 0.5]
    assert wide["flat_average"].isna().all()
    for path in paths:
        text = path.read_text().replace('"a": {', '"accuracy": {')
        path.write_text(text.replace('"unit": "1"', '"unit": "percent"'))
    wide = board(paths, embedded=True).wide.set_index("encoder")
    assert wide.loc["x", "flat_average"] == 50.0
    assert pd.isna(wide.loc["y", "flat_average"])


@pytest.mark.parametrize(
    "edit",
    [
        lambda values: values["encoder"].update(revision="v2"),
        lambda values: values["encoder"].update(precision="bfloat16", fingerprint="00" * 16),
        lambda values: values["features"].update(dtype="float32"),
        lambda values: values["features"].update(frame_rate=25.0),
        lambda values: values["probe"].update(name="linear"),
    ],
)
def test_another_revision_number_type_frame_rate_or_probe_is_another_row(
    tmp_path: Path, edit: Edit
) -> None:
    wide = board([example_file(tmp_path, "a"), example_file(tmp_path, "b", edit)]).wide
    assert _runs(wide)["GTZAN"].tolist() == [74.8276, 74.8276]


def test_the_own_frame_rate_of_an_encoder_makes_no_other_row(tmp_path: Path) -> None:
    def frames(values: dict[str, Any]) -> None:
        values["features"]["frame_rate"] = values["encoder"]["frame_rate"]
        values["task"].update(name="GTZANBeat", column="GTZANBeat")

    wide = board([example_file(tmp_path, "a"), example_file(tmp_path, "b", frames)]).wide
    assert len(_runs(wide)) == 1


@pytest.mark.parametrize(
    ("edit", "rule"),
    [
        (scores(accuracy=0.5), "must be the only result of its cell"),
        (lambda values: values["choices"].update(seeds=[7, 8]), "must be the only result"),
        (task("GTZAN-mini", "GTZAN"), "must belong to one task"),
        (lambda values: values["encoder"].update(fingerprint="00" * 16), "one fingerprint"),
    ],
)
def test_two_results_that_claim_one_cell_are_both_named(
    tmp_path: Path, edit: Edit, rule: str
) -> None:
    first, second = example_file(tmp_path, "a"), example_file(tmp_path, "b", edit)
    with pytest.raises(ValidationError, match=rule) as caught:
        board([second, first])
    assert str(first) in str(caught.value)
    assert str(second) in str(caught.value)


def test_a_result_that_cannot_be_read_stops_the_board(tmp_path: Path) -> None:
    broken = example_file(tmp_path, "a", lambda values: values.pop("unit"))
    with pytest.raises(ValidationError, match=f"^{re.escape(str(broken))}: "):
        board([broken])
    with pytest.raises(MissingError):
        board([tmp_path / "absent" / "result.json"])


def test_papers_with_a_protocol_of_their_own_stand_apart() -> None:
    first, *others = board([]).sections
    reported = published_scores()
    assert {each.model.encoder for each in first.models} == {
        each.encoder for each in reported if each.track == "constrained"
    }
    found = {each.title: [one.model.encoder for one in each.models] for each in others}
    assert len(found) == 2
    (sota,) = [each for title, each in found.items() if "MARBLE" in title]
    assert sota == ["Previous SOTA"]
    muq = next(each for each in others if "MuQ" in each.title)
    assert len(muq.models) == 5
    assert "HarmonixStructure score" in [column.header for column in muq.columns]
    assert "HarmonixStructure score" not in [column.header for column in first.columns]
    rows = [row for section in board([]).sections for one in section.models for row in one.rows]
    assert len(rows) == len(reported)


def test_the_same_results_give_the_same_tables_in_any_order(tmp_path: Path) -> None:
    paths = [example_file(tmp_path, name, named(name)) for name in ("é", "b", "A")]
    first, second = board(paths), board(reversed(paths))
    pd.testing.assert_frame_equal(first.long, second.long)
    pd.testing.assert_frame_equal(first.wide, second.wide)
    assert first.sections == second.sections


def test_the_leaderboard_does_not_load_torch() -> None:
    code = "import sys, marble_eval.leaderboard as l; l.board([]); print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
