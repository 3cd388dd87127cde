"""Records of Every Eval Ever, against the schema of that project."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from marble_eval.errors import ValidationError
from marble_eval.leaderboard import read_found
from marble_eval.leaderboard.every_eval_ever import SCHEMA_VERSION, model_id, write_records
from tests.leaderboard.conftest import Edit, deviating, embedded, example_file, named, scores

SCHEMA = Path(__file__).parent / "every_eval_ever" / "eval.schema.json"


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, str):
        yield value


def _record(root: Path, *edits: Edit) -> tuple[Path, dict[str, Any]]:
    (entry,) = read_found([example_file(root, "a", *edits)])
    (path,) = write_records([entry], root / "out")
    return path.relative_to(root / "out"), json.loads((path).read_text(encoding="utf-8"))


def test_the_schema_is_the_one_that_is_named() -> None:
    content = SCHEMA.read_bytes()
    readme = SCHEMA.with_name("README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(content).hexdigest() in readme
    assert json.loads(content)["version"] == SCHEMA_VERSION


@pytest.mark.parametrize(
    "edits",
    [
        (),
        (deviating,),
        (embedded,),
        (scores(r2=-0.3),),
        (scores(sdr_vocals=5.5, tempo_error=0.1),),
        (named("m-a-p/MERT v1: <95M>\n"),),
        (lambda values: values["encoder"].update(parameters=None, licence="", overlap="all"),),
        (lambda values: values["encoder"].update(step=100, remote_code="a/b@c"),),
    ],
)
def test_a_record_is_what_the_schema_asks(tmp_path: Path, edits: tuple[Edit, ...]) -> None:
    path, record = _record(tmp_path, *edits)
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    errors = [each.message for each in jsonschema.Draft7Validator(schema).iter_errors(record)]
    assert errors == []
    assert record["schema_version"] == SCHEMA_VERSION
    # data/<collection>/<developer>/<model>/<uuid4>.json, as the data store asks.
    top, collection, developer, model, file = path.parts
    assert (top, collection) == ("data", "marble-eval")
    assert record["model_info"]["id"] == f"{developer}/{model}"
    assert uuid.UUID(file.removesuffix(".json")).version == 4


def test_scores_bounds_and_intervals_are_those_of_the_result(tmp_path: Path) -> None:
    _, record = _record(tmp_path)
    accuracy, _ = record["evaluation_results"]
    assert accuracy["score_details"]["score"] == 0.748276
    interval = accuracy["score_details"]["uncertainty"]["confidence_interval"]
    assert (interval["lower"], interval["upper"], interval["confidence_level"]) == (0.25, 1.0, 0.95)
    assert accuracy["score_details"]["uncertainty"]["num_samples"] == 4
    metric = accuracy["metric_config"]
    assert (metric["min_score"], metric["max_score"], metric["lower_is_better"]) == (0, 1, False)
    assert record["evaluation_timestamp"] == "1735787045"  # 2025-01-02T03:04:05Z


def test_r2_has_no_lower_bound(tmp_path: Path) -> None:
    _, record = _record(tmp_path, scores(r2=-0.3))
    metric = record["evaluation_results"][0]["metric_config"]
    assert (metric["min_score"], metric["max_score"]) == ("-Infinity", 1)


def test_deviations_embedded_data_and_overlap_are_said(tmp_path: Path) -> None:
    def seen(values: dict[str, Any]) -> None:
        values["encoder"]["overlap"] = "all clips"

    _, record = _record(tmp_path, deviating, embedded, seen)
    said = set(_strings({"": record, "results": dict(enumerate(record["evaluation_results"]))}))
    assert {"batch 128 instead of 64", "all clips"} <= said
    details = record["evaluation_results"][0]["source_data"]["additional_details"]
    assert details["embedded"] == "true"


def test_a_second_time_replaces_the_files(tmp_path: Path) -> None:
    entries = read_found([example_file(tmp_path, each, named(each)) for each in "ab"])
    first = write_records(entries, tmp_path / "out")
    assert write_records(entries, tmp_path / "out") == first
    assert len(list((tmp_path / "out").rglob("*.json"))) == len(set(first)) == 2


def test_a_time_that_is_none_is_refused_with_the_file(tmp_path: Path) -> None:
    def never(values: dict[str, Any]) -> None:
        values["created"] = "2025-13-99T99:99:99Z"

    path = example_file(tmp_path, "a", never)
    with pytest.raises(ValidationError, match=f"^{re.escape(str(path))}: 'created'"):
        write_records(read_found([path]), tmp_path / "out")


@pytest.mark.parametrize(
    "name", ["..", ".", "", "a/../../b", "/etc/passwd", "data", "CON", "a\\b:c"]
)
def test_no_name_leads_out_of_the_folder_or_to_a_reserved_one(name: str) -> None:
    developer, model = model_id(name).split("/")
    for each in (developer, model):
        assert re.fullmatch(r"[A-Za-z0-9._+-]+", each)
        assert each.strip(".") and not each.endswith(".")
        assert each.casefold() not in {"data", "con", "unknown"}
