"""The table of predictions: bounded before it is read, then each item once a split and seed."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marble_eval.results import PredictionFile
from marble_eval.submission.predictions import check_table, read_table
from marble_eval.submission.submitted import InstalledTasks, Submitted, read_submitted
from tests.submission.edited_submissions import RESULT, TABLE, edit, edit_table

BOUNDED = "must be a table of bounded size and plain types"

Change = Callable[[pd.DataFrame], pd.DataFrame]


def read(folder: Path) -> Submitted:
    one, found = read_submitted(folder, RESULT, InstalledTasks())
    assert one is not None, found
    return one


def faults(submitted: Submitted, change: Change) -> list[tuple[str, str]]:
    """Say which rules a changed table breaks, and what was got."""
    table, found = read_table(submitted)
    assert table is not None, found
    changed = change(table).reset_index(drop=True)
    return [(each.rule, each.got) for each in check_table(submitted, changed)]


def row(table: pd.DataFrame, split: str, seed: int, at: int) -> int:
    """Find the place of an item's row."""
    return int(table.index[(table["split"] == split) & (table["seed"] == seed)][at])


def test_a_true_table_has_no_fault(submitted: Submitted) -> None:
    assert faults(submitted, lambda table: table) == []


def test_a_missing_item_is_named(submitted: Submitted) -> None:
    ((rule, got),) = faults(submitted, lambda t: t.drop(row(t, "test", 1235, 7)))
    assert rule == "test of seed 1235 must have the items of seed 1234"
    assert got == "none called 'test/0007'"


def test_an_item_too_many_is_named(submitted: Submitted) -> None:
    def more(table: pd.DataFrame) -> pd.DataFrame:
        extra = table.loc[[row(table, "valid", 1236, 0)]].assign(id="valid/new")
        return pd.concat([table, extra])

    found = faults(submitted, more)
    assert ("valid of seed 1234 must have the items of seed 1236", "none called 'valid/new'") in (
        found
    )


def test_a_dropped_seed_is_named(submitted: Submitted) -> None:
    ((rule, got),) = faults(submitted, lambda t: t[t["seed"] != 1235])
    assert (rule, got) == ("must have the seeds of chosen.seeds", "[1234, 1236]")


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_dropped_split_is_named(submitted: Submitted, split: str) -> None:
    rules = [rule for rule, _ in faults(submitted, lambda t: t[t["split"] != split])]
    assert rules == ["must hold both splits and no other"]


def test_a_third_split_is_named(submitted: Submitted) -> None:
    def third(table: pd.DataFrame) -> pd.DataFrame:
        return pd.concat([table, table.iloc[:1].assign(split="train")])

    assert faults(submitted, third)[0][1] == "'test', 'train', 'valid'"


@pytest.mark.parametrize("column", ["reference", "group", "recording"])
def test_a_reference_that_differs_between_seeds_is_named(submitted: Submitted, column: str) -> None:
    def edited(table: pd.DataFrame) -> pd.DataFrame:
        table = table.copy()
        table.loc[row(table, "test", 1235, 3), column] = "jazz"
        return table

    ((rule, got),) = faults(submitted, edited)
    assert rule.endswith("with the same references and groups")
    assert got == "others for 'test/0003'"


def test_an_item_or_group_in_both_splits_is_named(submitted: Submitted) -> None:
    def both(table: pd.DataFrame) -> pd.DataFrame:
        table = table.copy()
        is_first = (table["split"] == "test") & (table["id"] == "test/0003")
        table.loc[is_first, ["id", "group"]] = ["valid/0001", "valid/artist 0"]
        return table

    assert faults(submitted, both) == [
        ("an item must be in one split", "'valid/0001' in both"),
        ("a group must be in one split", "'valid/artist 0' in both"),
    ]


def test_outputs_that_are_not_the_task_s_are_named(submitted: Submitted) -> None:
    def more(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(output_10=np.float32(0))

    assert faults(submitted, more) == [("must have the outputs of the task's probe", "11")]


def refused(folder: Path) -> str:
    table, found = read_table(read(folder))
    assert table is None
    (finding,) = found
    return f"{finding.rule}: {finding.got}"


def test_an_item_twice_is_refused(submission: Path) -> None:
    edit_table(submission / TABLE, lambda table: pd.concat([table, table.iloc[5:6]]))
    assert "each item must occur once a split and seed. Got 'valid/0005' twice" in refused(
        submission
    )


def test_a_table_without_an_output_or_with_the_columns_in_another_order_is_refused(
    submission: Path,
) -> None:
    edit_table(submission / TABLE, lambda table: table.drop(columns="output_3"))
    assert "columns must be split, id, recording" in refused(submission)
    edit_table(submission / TABLE, lambda table: table[table.columns[::-1]])
    assert "columns must be split, id, recording" in refused(submission)


@pytest.mark.parametrize("kept", [0, 3, 8, 100, -1, -9])
def test_a_truncated_table_is_refused(submission: Path, kept: int) -> None:
    content = (submission / TABLE).read_bytes()
    (submission / TABLE).write_bytes(content[:kept])
    assert "a file without the end of a parquet file" in refused(submission)


def test_a_changed_byte_is_refused(submission: Path) -> None:
    content = bytearray((submission / TABLE).read_bytes())
    content[len(content) // 2] ^= 1
    (submission / TABLE).write_bytes(content)
    assert "must have the sha256" in refused(submission)


def test_a_huge_number_of_columns_is_refused_from_the_index_alone(submission: Path) -> None:
    wide = pa.table({f"output_{at}": pa.array([0.0], pa.float32()) for at in range(5000)})
    pq.write_table(wide, submission / TABLE)
    assert refused(submission) == f"{BOUNDED}: 5000 columns"


def test_a_small_file_that_unpacks_to_too_much_is_refused(submission: Path) -> None:
    zeros = pa.array(np.zeros(2_000_001), pa.float32())
    pq.write_table(pa.table({f"output_{at}": zeros for at in range(50)}), submission / TABLE)
    assert (submission / TABLE).stat().st_size < 1_000_000
    assert refused(submission) == f"{BOUNDED}: 100000050 cells"


def test_one_long_text_in_every_row_is_refused_although_it_is_stored_once(
    submission: Path,
) -> None:
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 3000, pa.int32()), ["a" * 500_000])
    pq.write_table(pa.table({"reference": long}), submission / TABLE)
    assert (submission / TABLE).stat().st_size < 1_000_000
    assert refused(submission) == f"{BOUNDED}: texts of more than {2**30} bytes"


def test_lists_and_other_types_are_refused(submission: Path) -> None:
    edit_table(submission / TABLE, lambda table: table.assign(group=[["a"]] * len(table)))
    assert refused(submission).startswith(f"{BOUNDED}: 'group: list<")
    edit_table(submission / TABLE, lambda table: table.assign(group="a", output_3="x"))
    assert refused(submission).startswith(f"{BOUNDED}: 'output_3: ")


def test_texts_may_be_stored_as_categories(submission: Path) -> None:
    edit_table(
        submission / TABLE,
        lambda table: table.assign(reference=table["reference"].astype("category")),
    )
    submitted = read(submission)
    table, found = read_table(submitted)
    assert table is not None
    assert (found, check_table(submitted, table)) == ([], [])


def test_an_index_that_lies_about_its_length_is_refused(submission: Path) -> None:
    content = (submission / TABLE).read_bytes()
    (submission / TABLE).write_bytes(content[:-8] + struct.pack("<I", 2**31) + b"PAR1")
    assert "an index of 2147483648 bytes" in refused(submission)
    (submission / TABLE).write_bytes(b"PAR1" + b"\xff" * 60 + struct.pack("<I", 60) + b"PAR1")
    assert "a file that cannot be read" in refused(submission)


def test_a_record_cannot_have_another_file_read(submitted: Submitted, submission: Path) -> None:
    other = replace(submitted.result, predictions=PredictionFile("other.parquet", "0" * 64))
    table, (finding,) = read_table(replace(submitted, result=other))
    assert table is None
    assert finding.rule == "'predictions' must name the table"
    edit(submission / RESULT, lambda record: record["predictions"].update(file="../../x"))
    one, (finding,) = read_submitted(submission, RESULT, InstalledTasks())
    assert one is None
    assert "/predictions" in finding.got
