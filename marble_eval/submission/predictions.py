"""The table of predictions of a submitted result: bounded before it is read, then checked.

A small parquet file can unpack to more memory than there is: by its index, by what is
compressed, or by one long text that every row points to. So its index is held against
bounds first, then its types, then the length of its texts. Then every seed must have the same
items in both splits, with the same references and groups, and as many outputs as a probe of the
task has. How many items there must be, `counts` knows.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from marble_eval.errors import MarbleError
from marble_eval.results import read_predictions
from marble_eval.results.predictions import COLUMNS
from marble_eval.submission.findings import Finding, shown, some

if TYPE_CHECKING:
    import pandas as pd

    from marble_eval.submission.submitted import Submitted

_SPLITS = ("valid", "test")
_MAGIC = b"PAR1"
_TAIL = struct.Struct("<I4s")  # length of the index, then the magic: Apache Parquet's format
_LONGEST_INDEX = 4 * 2**20  # bytes; 200 outputs in ten row groups make 0.2 MB
_MOST_COLUMNS = 4096
_MOST_CELLS = 10**8  # 400 MB of outputs; MARBLE's largest task has 7 million
_MOST_BYTES = 2**30  # unpacked
_TEXTS = tuple(name for name in COLUMNS if name != "seed")

Fault = tuple[str, str]  # what was got, what was expected


def read_table(submitted: Submitted) -> tuple[pd.DataFrame | None, list[Finding]]:
    """Read the predictions of a result, within bounds."""
    beside = submitted.predictions
    if beside.is_symlink() or not beside.is_file():
        return None, [submitted.table_says("must be there", "no such plain file", "a table")]
    named = submitted.result.predictions
    if named is None or named.file != beside.name:  # what is bounded must be what is read
        got = "null" if named is None else shown(named.file)
        return None, [submitted.says("'predictions' must name the table", got, beside.name)]
    fault = _table_fault(beside)
    if fault is not None:
        return None, [
            submitted.table_says("must be a table of bounded size and plain types", *fault)
        ]
    try:
        return read_predictions(submitted.path), []
    except (MarbleError, OSError, ValueError, KeyError) as error:
        said = str(error).removeprefix(f"{beside}: ")
        rule = "must be the table of predictions that the result was written with"
        return None, [submitted.table_says(rule, said, "that table")]


def check_table(submitted: Submitted, table: pd.DataFrame) -> list[Finding]:
    """Check that each split has each item once for each seed, and the number of outputs."""
    says, result = submitted.table_says, submitted.result
    found = []
    splits = sorted({str(each) for each in table["split"]})
    if splits != sorted(_SPLITS):
        found.append(says("must hold both splits and no other", some(splits), some([*_SPLITS])))
    seeds = list(dict.fromkeys(table["seed"].tolist()))
    if sorted(seeds, key=str) != sorted(result.chosen.seeds, key=str):
        rule = "must have the seeds of chosen.seeds"
        found.append(says(rule, seeds, list(result.chosen.seeds)))
    for split in _SPLITS:
        items = {
            seed: rows.set_index("id")[["recording", "group", "reference"]]
            for seed, rows in table[table["split"] == split].groupby("seed", sort=False)
        }
        found += _same_items(submitted, split, items)
    found += _on_both_sides(submitted, table)
    return found + _outputs(submitted, table)


def _same_items(submitted: Submitted, split: str, items: dict[int, pd.DataFrame]) -> list[Finding]:
    """Compare the items of each seed with those of the seed that has most."""
    if not items:
        return []
    most = max(items, key=lambda seed: len(items[seed]))
    whole, found = items[most], []
    for seed, each in items.items():
        where = f"{split} of seed {seed} must have the items of seed {most}"
        lacking = sorted(set(whole.index) - set(each.index))
        more = sorted(set(each.index) - set(whole.index))
        if lacking:
            found.append(submitted.table_says(where, f"none called {some(lacking)}", "all"))
        if more:
            found.append(submitted.table_says(where, f"{some(more)} besides", "no other"))
        both = whole.index.intersection(each.index)
        differ = (whole.loc[both] != each.loc[both]).any(axis=1)
        if differ.any():
            rule = f"{where}, with the same references and groups"
            names = [str(name) for name in both[differ]]
            found.append(submitted.table_says(rule, f"others for {some(names)}", "the same"))
    return found


def _on_both_sides(submitted: Submitted, table: pd.DataFrame) -> list[Finding]:
    """Name the items and groups that are in validation and in test."""
    found = []
    for column, what in (("id", "an item"), ("group", "a group")):
        sides = [set(table.loc[table["split"] == split, column]) for split in _SPLITS]
        both = sorted(str(each) for each in sides[0] & sides[1])
        if both:
            rule = f"{what} must be in one split"
            found.append(submitted.table_says(rule, f"{some(both)} in both", "valid or test"))
    return found


def _outputs(submitted: Submitted, table: pd.DataFrame) -> list[Finding]:
    """Hold the number of outputs against what the task's kind asks of a probe."""
    task = submitted.task
    if task is None:
        return []
    number = len(table.columns) - len(COLUMNS)
    expected = 0 if task.kind.estimate == "frame" else task.kind.outputs(task.spec)
    if number == expected:
        return []
    return [submitted.table_says("must have the outputs of the task's probe", number, expected)]


def _table_fault(path: Path) -> Fault | None:
    """Say why a table should not be read."""
    try:
        return _index_fault(path) or _type_fault(path) or _text_fault(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        return f"a file that cannot be read: {shown(str(error))}", "a parquet file"


def _index_fault(path: Path) -> Fault | None:
    size = path.stat().st_size
    if size > _MOST_BYTES:
        return f"{size} bytes", f"at most {_MOST_BYTES}"
    with path.open("rb") as stream:
        stream.seek(max(0, size - _TAIL.size))
        tail = stream.read()
    if len(tail) < _TAIL.size or _TAIL.unpack(tail)[1] != _MAGIC:
        return "a file without the end of a parquet file", "a whole parquet file"
    if _TAIL.unpack(tail)[0] > min(_LONGEST_INDEX, size):
        return f"an index of {_TAIL.unpack(tail)[0]} bytes", f"at most {_LONGEST_INDEX}"
    index = pq.read_metadata(path)
    groups = [index.row_group(at) for at in range(index.num_row_groups)]
    for what, number, most in (
        ("columns", index.num_columns, _MOST_COLUMNS),
        ("cells", index.num_rows * index.num_columns, _MOST_CELLS),
        ("bytes when unpacked", sum(each.total_byte_size for each in groups), _MOST_BYTES),
    ):
        if number > most:
            return f"{number} {what}", f"at most {most}"
    return None


def _type_fault(path: Path) -> Fault | None:
    """Find columns of lists and other things that a table of predictions does not have."""
    wrong = []
    for field in pq.read_schema(path):
        plain = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        is_text = pa.types.is_string(plain) or pa.types.is_large_string(plain)
        is_number = pa.types.is_integer(plain) or pa.types.is_floating(plain)
        if not (is_text if field.name in _TEXTS else is_number):
            wrong.append(f"{field.name}: {field.type}")
    return (some(wrong), "text, and numbers as seeds and outputs") if wrong else None


def _text_fault(path: Path) -> Fault | None:
    """Add up the texts that rows point to, which are in the file once."""
    total = 0
    there = pq.read_schema(path).names
    names = [name for name in _TEXTS if name in there]
    with pq.ParquetFile(path, read_dictionary=names) as file:
        for batch in file.iter_batches(columns=names):
            for column in batch.columns:
                lengths = pc.binary_length(column.dictionary).cast(pa.int64())
                total += pc.sum(lengths.take(column.indices)).as_py() or 0
            if total > _MOST_BYTES:
                return f"texts of more than {_MOST_BYTES} bytes", f"at most {_MOST_BYTES}"
    return None
