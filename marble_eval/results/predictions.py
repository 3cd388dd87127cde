"""The table of predictions: one row for each item of a split and each seed.

Columns: `split`, `id`, `recording`, `group`, `seed`, `reference`, `estimate`, then the
probe's outputs `output_0`, `output_1`, … as float32, before any softmax; none where
there is an estimate for every frame, whose events are in `estimate` as JSON with
their times. From it any metric can be computed anew, and intervals drawn with the same
groups. `recording` is empty for an item that is a whole one.
"""

from __future__ import annotations

import io

import numpy as np
import pandas as pd

FILE = "predictions.parquet"
COLUMNS = ("split", "id", "recording", "group", "seed", "reference", "estimate")


def output_columns(outputs: int) -> tuple[str, ...]:
    """Name the columns of a probe's outputs."""
    return tuple(f"output_{index}" for index in range(outputs))


def check_predictions(predictions: pd.DataFrame) -> None:
    """Check that a table of predictions has its columns, each item once a seed."""
    names = [str(each) for each in predictions.columns]
    outputs = output_columns(len(names) - len(COLUMNS))
    if names != [*COLUMNS, *outputs]:
        raise ValueError(f"columns must be {', '.join(COLUMNS)}, output_0, …. Got {names}.")
    wrong = [name for name in outputs if predictions[name].dtype != np.float32]
    if wrong:
        raise ValueError(f"outputs must be float32. Got {predictions[wrong[0]].dtype}.")
    if predictions.empty:
        raise ValueError("predictions must hold at least one row. Got none.")
    twice = predictions.duplicated(["split", "id", "seed"])
    if twice.any():
        row = predictions.loc[twice.idxmax()]
        raise ValueError(
            f"each item must occur once a split and seed. "
            f"Got {row['id']!r} twice in {row['split']!r} with seed {row['seed']}."
        )


def pack(predictions: pd.DataFrame) -> bytes:
    """Turn a table of predictions into the content of a parquet file."""
    stream = io.BytesIO()
    predictions.to_parquet(stream, engine="pyarrow", index=False, compression="zstd")
    return stream.getvalue()


def unpack(content: bytes) -> pd.DataFrame:
    """Turn the content of a parquet file into a table of predictions."""
    return pd.read_parquet(io.BytesIO(content), engine="pyarrow")
