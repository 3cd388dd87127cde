"""The table of predictions keeps what it is given, and refuses what it is not."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn.metrics import accuracy_score

from marble_eval.metrics.classification import accuracy
from marble_eval.results.predictions import check_predictions, output_columns, pack, unpack


def _table() -> pd.DataFrame:
    outputs = np.random.default_rng(0).normal(size=(4, 2)).astype(np.float32)
    table = pd.DataFrame(
        {
            "split": ["test"] * 4,
            "id": ["a", "b", "a", "b"],
            "recording": [""] * 4,
            "group": ["x", "x", "x", "x"],
            "seed": [1, 1, 2, 2],
            "reference": [0, 1, 0, 1],
            "estimate": outputs.argmax(axis=1),
        }
    )
    return table.assign(**dict(zip(output_columns(2), outputs.T, strict=True)))


def test_a_good_table_passes_and_comes_back_the_same() -> None:
    table = _table()
    check_predictions(table)
    assert_frame_equal(unpack(pack(table)), table)


def test_the_same_table_is_the_same_bytes() -> None:
    assert pack(_table()) == pack(_table())


def test_a_metric_can_be_computed_anew_from_the_file() -> None:
    table = unpack(pack(_table()))
    reference, estimate = table["reference"].to_numpy(), table["estimate"].to_numpy()
    assert accuracy(reference, estimate) == accuracy_score(reference, estimate)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda table: table.drop(columns="group"), "columns must be split, id, recording, group"),
        (lambda table: table.drop(columns="estimate"), "columns must be"),
        (lambda table: table.rename(columns={"output_1": "output_2"}), "columns must be"),
        (lambda table: table[[*table.columns[::-1]]], "columns must be"),
        (lambda table: table.assign(extra=1), "columns must be"),
        (lambda table: table.astype({"output_1": "float64"}), "must be float32. Got float64"),
        (lambda table: table.iloc[:0], "at least one row"),
        (lambda table: table.assign(seed=1), "Got 'a' twice in 'test' with seed 1"),
    ],
)
def test_a_table_that_breaks_a_rule_is_refused(
    change: Callable[[pd.DataFrame], pd.DataFrame], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        check_predictions(change(_table()))
