"""What a table of predictions from somebody else asks for, before it is read.

A small parquet file can unpack to more memory than there is: by its index, by what is
compressed, or by one long text that every row points to. So its index is held against
bounds first, then its types, then the length of its texts.
"""

from __future__ import annotations

import struct
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from marble_eval.results.predictions import COLUMNS
from marble_eval.submission.findings import shown, some

_MAGIC = b"PAR1"
_TAIL = struct.Struct("<I4s")  # length of the index, then the magic: Apache Parquet's format
_LONGEST_INDEX = 4 * 2**20  # bytes; 200 outputs in ten row groups make 0.2 MB
_MOST_COLUMNS = 4096
_MOST_CELLS = 10**8  # 400 MB of outputs; MARBLE's largest task has 7 million
_MOST_BYTES = 2**30  # unpacked
_TEXTS = tuple(name for name in COLUMNS if name != "seed")

Fault = tuple[str, str]  # what was got, what was expected


def table_fault(path: Path) -> Fault | None:
    """Say why a table should not be read.

    Parameters
    ----------
    path : Path
        A plain file.

    Returns
    -------
    tuple of str, or None
        What it asks for and what it may; None if it can be read.
    """
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
