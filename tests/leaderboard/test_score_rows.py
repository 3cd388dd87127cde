"""Rows of the long table: columns, units, and what a reported row leaves empty."""

import dataclasses
import json
from pathlib import Path

import pytest

from marble_eval.leaderboard import (
    COLUMNS,
    published_row,
    published_scores,
    result_rows,
)
from marble_eval.metrics import Unit
from marble_eval.results import Result, read_result
from marble_eval.results.caveats import OtherDeviation, TracksLeftOut

EXAMPLE = Path(__file__).parents[1] / "results" / "example_result.json"


def _result() -> Result:
    return read_result(EXAMPLE)


def test_columns_are_in_the_order_that_readers_rely_on() -> None:
    assert ", ".join(COLUMNS) == (
        "encoder, revision, licence, task, task_version, protocol, protocol_version, track, "
        "conforms, deviations, probe, layer, setting, seeds, metric, unit, value, low, high, n, "
        "seed_spread, expected, scored, embedded, selected_on, source, reference, data_digest, "
        "harness, created, section, column, main, higher_is_better, precision, features, choices, "
        "data_licence, overlap, parameters, step, remote_code, extract_seconds, train_seconds, "
        "clips, clips_encoded, feature_bytes, device, published, published_source, reproduced, "
        "rank_low, rank_high, first_chance, tied"
    )


def test_every_column_is_documented() -> None:
    readme = (EXAMPLE.parents[2] / "results" / "README.md").read_text(encoding="utf-8")
    assert [name for name in COLUMNS if f"`{name}`" not in readme] == []


def test_a_row_keeps_terms_overlap_step_code_and_cost() -> None:
    result = _result()
    encoder = dataclasses.replace(
        result.encoder, overlap="12 tracks", step=4000, remote_code="a/b@c0ffee"
    )
    row = result_rows(dataclasses.replace(result, encoder=encoder))[0]
    assert (row.licence, row.data_licence) == ("CC-BY-NC-4.0", "unknown")
    assert (row.overlap, row.step, row.remote_code) == ("12 tracks", 4000, "a/b@c0ffee")
    assert (row.extract_seconds, row.train_seconds) == (12.5, 3.0)
    assert (row.clips, row.clips_encoded, row.feature_bytes) == (644, 600, 2967552)
    assert (row.device, row.parameters) == ("cpu", 94371712)
    assert row.choices == "layers 0 1 2 sum; seeds 1234 1235"


def test_a_result_has_a_row_for_each_metric() -> None:
    accuracy, f1 = result_rows(_result())
    assert (accuracy.metric, f1.metric) == ("accuracy", "macro_f1")
    assert accuracy.seeds == "1234 1235"
    assert (accuracy.expected, accuracy.scored, accuracy.n) == (5, 4, 4)
    assert (accuracy.conforms, accuracy.embedded, accuracy.source) == ("true", "false", "run")
    assert accuracy.reference == json.loads(EXAMPLE.read_text())["unit"]
    assert dataclasses.replace(accuracy, metric="", value=0, low=0, seed_spread=0, main="") == (
        dataclasses.replace(f1, metric="", value=0, low=0, seed_spread=0, main="")
    )
    assert (accuracy.main, f1.main) == ("true", "false")


def test_shares_are_given_in_percent_with_four_decimals() -> None:
    row = result_rows(_result())[0]
    assert row.unit == "percent"
    assert (row.value, row.low, row.high, row.seed_spread) == (74.8276, 25.0, 100.0, 0.4633)


@pytest.mark.parametrize(
    ("unit", "value", "shown"),
    [("percent", -0.0000001, "0.0"), ("dB", 4.12344, "4.1234"), ("1", 0.12346, "0.1235")],
)
def test_the_unit_is_the_record_s_whatever_the_name(unit: Unit, value: float, shown: str) -> None:
    result = _result()
    score = dataclasses.replace(result.metrics["accuracy"], value=value, unit=unit)
    (row,) = result_rows(dataclasses.replace(result, metrics={"note_error": score}))
    assert (row.unit, str(row.value)) == (unit, shown)


def test_deviations_are_joined() -> None:
    result = _result()
    deviations = (OtherDeviation("batch 128 instead of 64"), TracksLeftOut("test", 3, None))
    protocol = dataclasses.replace(result.protocol, conforms=False, deviations=deviations)
    row = result_rows(dataclasses.replace(result, protocol=protocol))[0]
    assert row.conforms == "false"
    assert row.deviations == "batch 128 instead of 64; 3 test tracks left out"


def test_a_reported_row_claims_only_what_its_source_says() -> None:
    score = next(each for each in published_scores() if each.note)
    row = published_row(score)
    assert (row.encoder, row.value, row.unit) == (score.encoder, score.value, "percent")
    assert (row.source, row.reference) == ("reported", score.source)
    assert row.deviations == "exceeded the one-week wall"
    said = {"encoder", "task", "track", "deviations", "metric", "unit", "value", "source"}
    said |= {"reference", "embedded", "protocol", "column"}
    for name in set(COLUMNS) - said:
        assert getattr(row, name) in (None, ""), name


def test_one_seed_has_no_spread() -> None:
    result = _result()
    score = dataclasses.replace(result.metrics["accuracy"], seed_values=(0.748,), seed_spread=0.0)
    (row,) = result_rows(dataclasses.replace(result, metrics={"accuracy": score}))
    assert row.seed_spread is None
