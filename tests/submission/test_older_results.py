"""Results of schema 4, whose deviations and divergences are sentences, in a submission."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from marble_eval.results import read_result
from marble_eval.submission import build_submission
from marble_eval.submission.files import listed_file
from tests.submission.edited_submissions import edit, findings
from tests.submission.true_results import true_result


def write_as_of_4(path: Path) -> None:
    """Write a record in the schema before, with the sentences that it had."""
    result = read_result(path)

    def change(record: Any) -> None:
        record["schema_version"] = 4
        record["protocol"]["deviations"] = result.protocol.deviation_sentences
        record["remarks"] = result.notes
        record["probe"] = {"name": result.probe.name, **result.probe.options}
        for name in ("divergences", "left_out", "written_under"):
            del record[name]

    edit(path, change)


@pytest.mark.parametrize(
    "otherwise", [{}, {"lost": 2, "batch_tracks": 16, "learning_rates": (1e-4, 1e-3, 1e-2)}]
)
def test_a_submission_of_results_of_version_4_is_valid(
    tmp_path: Path, otherwise: dict[str, Any]
) -> None:
    newer = read_result(true_result(tmp_path / "results", **otherwise))
    assert len(newer.protocol.deviations) == len(otherwise)
    build_submission(tmp_path / "built", [tmp_path / "results"])
    (path,) = (tmp_path / "built").rglob("result.json")
    write_as_of_4(path)
    assert read_result(path) == dataclasses.replace(newer, written_under=4)
    manifest = tmp_path / "built" / "submission.json"
    values = json.loads(manifest.read_text(encoding="utf-8"))
    values["files"] = [
        dataclasses.asdict(listed_file(tmp_path / "built", each["path"]))
        for each in values["files"]
    ]
    manifest.write_text(json.dumps(values), encoding="utf-8")
    assert findings(tmp_path / "built") == []  # the tables made of version 5 are the same too


def test_a_deviation_that_was_taken_out_of_a_record_of_version_4_shows(tmp_path: Path) -> None:
    path = true_result(tmp_path / "results", batch_tracks=16)
    build_submission(tmp_path / "built", [tmp_path / "results"])
    (path,) = (tmp_path / "built").rglob("result.json")
    write_as_of_4(path)
    edit(path, lambda record: record["protocol"].update(deviations=[], conforms=True))
    assert any("must be the fingerprint of what" in each.rule for each in findings(path.parents[5]))
