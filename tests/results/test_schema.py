"""Strict JSON under the schema: what is refused on the way in and out, and how."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from marble_eval.errors import ValidationError
from marble_eval.results.schema import from_json, load_schema, to_json

EXAMPLE = Path(__file__).with_name("example_result.json").read_text(encoding="utf-8")


def _edited(edit: Callable[[dict[str, Any]], object]) -> str:
    values = json.loads(EXAMPLE)
    edit(values)
    return json.dumps(values)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(load_schema())


def test_text_and_result_are_the_same_both_ways() -> None:
    result = from_json(EXAMPLE, "example")
    assert json.loads(to_json(result, "example")) == json.loads(EXAMPLE)
    assert from_json(to_json(result, "example"), "example") == result
    assert to_json(result, "example") == to_json(result, "example")


@pytest.mark.parametrize(
    ("edit", "where"),
    [
        (lambda v: v.pop("unit"), "'unit' is a required property"),
        (lambda v: v.update(score=1), "'score' was unexpected"),
        (lambda v: v["task"].update(tracks=3), "/task is not as"),
        (lambda v: v["grid"][2].update(valid="high"), "/grid/2/valid is not as"),
        (lambda v: v["metrics"]["accuracy"].pop("low"), "/metrics/accuracy is not as"),
        (lambda v: v["metrics"]["accuracy"].update(n=0), "/metrics/accuracy/n is not as"),
        (lambda v: v.update(metrics={}), "/metrics is not as"),
        (lambda v: v["counts"].update(scored=0), "/counts/scored is not as"),
        (lambda v: v.update(created="yesterday"), "/created is not as"),
        (lambda v: v.update(created="2025-01-02T03:04:05+02:00"), "/created is not as"),
        (lambda v: v["protocol"].update(track="open"), "/protocol/track is not as"),
        (lambda v: v["predictions"].update(file="../x.parquet"), "/predictions/file is not as"),
        (lambda v: v.update(predictions=None), "/predictions is not as"),
        (lambda v: v["encoder"].update(parameters=1.5), "/encoder/parameters is not as"),
        (lambda v: v["features"]["windowing"].update(tail="cut"), "'tail' must be one of"),
        (lambda v: v["counts"].update(missing=[]), "'missing' must name every track"),
    ],
)
def test_a_record_that_breaks_a_rule_is_refused_by_name(
    edit: Callable[[dict[str, Any]], object], where: str
) -> None:
    with pytest.raises(ValidationError, match=r"^folder/result\.json: ") as caught:
        from_json(_edited(edit), "folder/result.json")
    assert where in str(caught.value)
    assert caught.value.exit_code == 4


def test_a_record_of_version_3_is_read_and_says_what_it_lacks() -> None:
    older = Path(__file__).with_name("example_result_3.json").read_text(encoding="utf-8")
    result, newer = from_json(older, "older"), from_json(EXAMPLE, "newer")
    assert result.schema_version == newer.schema_version == 4
    assert result.encoder.trained_on == result.encoder.overlap == "not recorded"
    assert result.encoder.step is None and result.encoder.remote_code is None
    assert result.remarks[-1].startswith("read from a record of schema version 3")
    assert (result.metrics, result.unit) == (newer.metrics, newer.unit)
    assert from_json(to_json(result, "rewritten"), "rewritten") == result


def test_a_record_of_version_3_is_held_to_its_schema_too() -> None:
    text = _edited(lambda values: values.update(schema_version=3, encoder="mel"))
    with pytest.raises(ValidationError, match=r"^folder/result\.json: is not as the result schema"):
        from_json(text, "folder/result.json")


@pytest.mark.parametrize("version", [0, 1, 2, 5, 3.0, True, "4", None])
def test_another_schema_version_is_refused_with_the_reason(version: object) -> None:
    text = _edited(lambda values: values.update(schema_version=version))
    told = r"'schema_version' must be from 3 to 4\. Got .* Use the"
    with pytest.raises(ValidationError, match=told):
        from_json(text, "folder/result.json")


@pytest.mark.parametrize("text", ["", "{", "[]", '"result"', "{}", "null"])
def test_what_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match=r"^folder/result\.json: "):
        from_json(text, "folder/result.json")


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_refused_on_reading(constant: str) -> None:
    with pytest.raises(ValidationError, match=f"{constant} is no JSON number"):
        from_json(EXAMPLE.replace("0.748276", constant), "folder/result.json")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32("nan")])
def test_numbers_that_json_does_not_have_are_refused_on_writing(value: float) -> None:
    result = from_json(EXAMPLE, "example")
    score = dataclasses.replace(result.metrics["accuracy"], low=value)
    broken = dataclasses.replace(result, metrics={"accuracy": score})
    with pytest.raises(ValidationError, match="/metrics/accuracy/low must be a finite number"):
        to_json(broken, "folder/result.json")


def test_numpy_numbers_are_written_as_plain_ones() -> None:
    result = from_json(EXAMPLE, "example")
    confusion = tuple(tuple(row) for row in np.array([[1, 1], [0, 2]]))
    seeds = dataclasses.replace(result.choices, seeds=tuple(np.array([1234, 1235])))
    rewritten = to_json(dataclasses.replace(result, confusion=confusion, choices=seeds), "example")
    assert from_json(rewritten, "example") == result


def test_what_json_cannot_hold_is_refused() -> None:
    result = from_json(EXAMPLE, "example")
    with pytest.raises(TypeError, match=r"plain values\. Got \w+Path"):
        to_json(dataclasses.replace(result, unit=Path("a")), "example")  # type: ignore[arg-type]
