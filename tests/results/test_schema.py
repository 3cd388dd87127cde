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
from marble_eval.results import Result
from marble_eval.results.caveats import (
    Deviation,
    Divergence,
    LayerLeftOut,
    OtherDeviation,
    RuleChanged,
    TracksLeftOut,
)
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
    assert result.schema_version == newer.schema_version == 5
    assert result.encoder.trained_on == result.encoder.overlap == "not recorded"
    assert result.encoder.step is None and result.encoder.remote_code is None
    assert result.remarks[-1].startswith("read from a record of schema version 3")
    assert (result.written_under, newer.written_under) == (3, 5)
    assert (result.metrics, result.unit) == (newer.metrics, newer.unit)
    assert from_json(to_json(result, "rewritten"), "rewritten") == result


def _of_4(deviations: tuple[str, ...] = (), remarks: tuple[str, ...] = ()) -> Result:
    text = Path(__file__).with_name("example_result_4.json").read_text(encoding="utf-8")
    values = json.loads(text)
    values["protocol"].update(conforms=not deviations, deviations=list(deviations))
    values["remarks"] += remarks
    return from_json(json.dumps(values), "older")


@pytest.mark.parametrize(
    ("kind", "metric", "unit", "written", "citation"),
    [
        ("classification", "macro_f1", "percent", "macro F1", ""),
        ("tagging", "roc_auc", "percent", "ROC-AUC", ""),
        ("pitch", "accuracy_by_recording", "percent", "accuracy by recording", ""),
        ("regression", "r2_rock", "percent", "R² rock", ""),
        ("beat", "beat_cmlt", "percent", "beat CMLt", "raffel2014mireval"),
        ("frames", "note_error", "1", "note error", ""),  # no metric that anybody knows
        ("melody", "overall_accuracy", "1", "overall accuracy", ""),  # nor a kind
    ],
)
def test_metrics_of_older_records_get_what_their_kind_says(
    kind: str, metric: str, unit: str, written: str, citation: str
) -> None:
    text = Path(__file__).with_name("example_result_4.json").read_text(encoding="utf-8")
    values = json.loads(text)
    values["task"]["kind"] = kind
    values["metrics"] = {metric: values["metrics"]["accuracy"]}
    score = from_json(json.dumps(values), "older").metrics[metric]
    assert (score.unit, score.written, score.citation) == (unit, written, citation)


def test_a_record_of_version_4_is_read_as_it_is() -> None:
    newer = from_json(EXAMPLE, "newer")
    protocol = dataclasses.replace(newer.protocol, version=1)
    assert _of_4() == dataclasses.replace(newer, written_under=4, protocol=protocol)
    assert from_json(to_json(_of_4(), "rewritten"), "rewritten").written_under == 4
    from_3 = "read from a record of schema version 3, without training data, overlap and citation"
    assert _of_4(remarks=(from_3,)).written_under == 3  # rewritten by a version that had 4


def test_a_probe_of_version_4_is_read_with_what_its_name_meant() -> None:
    text = Path(__file__).with_name("example_result_4.json").read_text(encoding="utf-8")
    values = json.loads(text)
    values["probe"] = {"name": "logreg", "hidden": 0, "dropout": 0.0}
    probe = from_json(json.dumps(values), "older").probe
    tried = tuple(each["setting"] for each in values["grid"] if each["layer"] == "0")
    assert (probe.setting, probe.reads_sum) == ("C", False)
    assert probe.options == {"inverse_penalties": tried}


@pytest.mark.parametrize(
    ("sentence", "deviation"),
    [
        ("batch_tracks is 16, marble-v1 has 64", RuleChanged("batch_tracks", 16, 64)),
        ("channels is first, marble-v1 has mean", RuleChanged("channels", "first", "mean")),
        ("max_epochs is None, marble-v1 has 3", RuleChanged("max_epochs", None, 3)),
        (
            "learning_rates is (0.001,), marble-v1 has (5e-05, 0.01)",
            RuleChanged("learning_rates", (0.001,), (5e-05, 0.01)),
        ),
        ("frames.rate is 50.0, marble-v1 has 100.0", RuleChanged("frames.rate", 50.0, 100.0)),
        ("2 of 443 train tracks left out", TracksLeftOut("train", 2, 443)),
        ("1 test tracks left out", TracksLeftOut("test", 1, None)),
    ],
)
def test_deviations_of_version_4_become_records_that_say_the_same(
    sentence: str, deviation: Deviation
) -> None:
    protocol = _of_4((sentence,)).protocol
    assert protocol.deviations == (deviation,)
    assert protocol.deviation_sentences == (sentence,)


@pytest.mark.parametrize(
    "sentence",
    [
        "batch 128 instead of 64",
        "batch_tracks is 0x10, marble-v1 has 64",  # would not be written again as it stands
        "batch_tracks is 16, marble-v2 has 64",  # of another protocol
        "007 of 443 train tracks left out",
        "1 of 443 other tracks left out",
    ],
)
def test_deviations_of_version_4_that_are_not_known_stay_words(sentence: str) -> None:
    assert _of_4((sentence,)).protocol.deviations == (OtherDeviation(sentence),)


@pytest.mark.parametrize(
    "value", ["__import__('os').system('true')", "[1", "(" * 5000, "1e999", "{1: 2}", "('a',)"]
)
def test_values_of_version_4_are_read_and_never_run(value: str) -> None:
    sentence = f"batch_tracks is {value}, marble-v1 has 64"
    protocol = _of_4((sentence,)).protocol
    assert protocol.deviation_sentences == (sentence,)
    (found,) = protocol.deviations
    assert not isinstance(found, RuleChanged) or found.got == value


def test_divergences_of_version_4_become_records_that_say_the_same() -> None:
    remarks = (
        "learning rate 1e+38, seed -2: outputs no longer finite at layer 0, sum; "
        "it was the first epoch",
        "learning rate 0.01, seed 7: outputs no longer finite at layer 1; "
        "the best epoch before it counts",
        "layer 0 is left out: no probe of it kept finite outputs with every seed",
    )
    result = _of_4(remarks=remarks)
    assert result.divergences == (
        Divergence("0", 1e38, -2, scored=False),
        Divergence("sum", 1e38, -2, scored=False),
        Divergence("1", 0.01, 7, scored=True),
    )
    assert result.left_out == (LayerLeftOut("0", "diverged"),)
    assert result.remarks == from_json(EXAMPLE, "newer").remarks
    assert result.notes == [*remarks, *result.remarks]


def test_a_sum_that_logistic_regression_lacks_is_left_out_by_name() -> None:
    result = _of_4(remarks=("logistic regression has no learned sum of layers",))
    sums = [each for each in result.choices.layers if each not in result.encoder.layers]
    assert [each.layer for each in result.left_out] == sums == ["sum"]
    assert {each.reason for each in result.left_out} == {"no learned sum"}


def test_a_record_of_version_3_is_held_to_its_schema_too() -> None:
    text = _edited(lambda values: values.update(schema_version=3, encoder="mel"))
    with pytest.raises(ValidationError, match=r"^folder/result\.json: is not as the result schema"):
        from_json(text, "folder/result.json")


@pytest.mark.parametrize("version", [0, 1, 2, 6, 3.0, True, "5", None])
def test_another_schema_version_is_refused_with_the_reason(version: object) -> None:
    text = _edited(lambda values: values.update(schema_version=version))
    told = r"'schema_version' must be from 3 to 5\. Got .* Use the"
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
