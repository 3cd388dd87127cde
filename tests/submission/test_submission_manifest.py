"""The manifest: read strictly, held against its schema and against the results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from marble_eval.submission import manifest_schema
from marble_eval.submission.files import NAMED, check_locations
from marble_eval.submission.findings import Finding
from marble_eval.submission.manifest import read_manifest
from marble_eval.submission.submitted import InstalledTasks, read_submitted
from tests.submission.edited_submissions import RESULT, edit, rules


def place_findings(folder: Path) -> list[Finding]:
    """Hold a manifest against its schema, and against the one result."""
    manifest, found = read_manifest(folder)
    if manifest is None:
        return found
    one, _ = read_submitted(folder, RESULT, InstalledTasks())
    return check_locations(manifest, [RESULT], [one] if one else [])


def test_the_schema_is_a_schema_and_describes_what_is_built(built: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(manifest_schema())
    values = json.loads((built / "submission.json").read_text())
    jsonschema.validate(values, manifest_schema())
    assert values["contact"] == "Ada <ada@example.org>"
    (entry,) = values["results"]
    assert (entry["path"], entry["task"], entry["task_version"]) == (RESULT, "GTZAN", 1)
    assert entry["conforms"] is True


def test_a_manifest_of_a_newer_version_is_not_guessed_at(submission: Path) -> None:
    edit(submission / "submission.json", lambda values: values.update(schema_version=2))
    (found,) = place_findings(submission)
    assert (found.got, found.expected) == ("2", "1")
    assert "a newer marble-eval may read it" in found.rule


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"schema_version": NaN}', "NaN is no JSON number"),
        ('{"schema_version": 1, "schema_version": 2}', "'schema_version' twice in one object"),
        ("[" * 100_000, "too deep"),
        ("{", "Expecting property name"),
        ("\udcff", "utf-8"),
    ],
)
def test_json_that_is_not_strict_is_refused(submission: Path, text: str, said: str) -> None:
    (submission / "submission.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    (found,) = place_findings(submission)
    assert found.rule == "must be strict JSON"
    assert said in found.got


@pytest.mark.parametrize("text", ["[]", "3", "null", '"text"', "{}"])
def test_json_that_is_no_manifest_is_refused(submission: Path, text: str) -> None:
    (submission / "submission.json").write_text(text)
    (found,) = place_findings(submission)
    assert (found.file, found.expected) == ("submission.json", "1")


def test_every_breach_of_the_schema_is_told(submission: Path) -> None:
    def change(values: Any) -> None:
        values["files"][0]["bytes"] = -1
        values["extra"] = 1
        del values["note"]

    edit(submission / "submission.json", change)
    assert len(rules(place_findings(submission), "submission.json")) == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("encoder", "better"), ("revision", "v2"), ("task", "EMO"), ("task_version", 2)),
        *(("protocol", "marble-v2"), ("conforms", False), ("unit", "0" * 32)),
    ],
)
def test_what_the_manifest_says_of_a_result_is_held_against_it(
    submission: Path, name: str, value: object
) -> None:
    edit(submission / "submission.json", lambda values: values["results"][0].update({name: value}))
    (found,) = place_findings(submission)
    assert found.rule == f"'{name}' of {RESULT} must be what the result says"


def test_a_result_that_the_manifest_does_not_list_is_named(submission: Path) -> None:
    def elsewhere(values: Any) -> None:
        values["results"][0]["path"] = RESULT.replace("toy", "boy")

    edit(submission / "submission.json", elsewhere)
    assert "must be in 'results' of the manifest" in rules(place_findings(submission))
    assert "'results' must name results that are there" in rules(
        place_findings(submission), "submission.json"
    )


def test_a_rehearsal_cannot_be_passed_off_as_the_real_thing(submission: Path) -> None:
    edit(submission / "submission.json", lambda values: values.update(embedded=True))
    assert any("rehearsals are kept apart" in each for each in rules(place_findings(submission)))


def test_the_format_that_is_published_names_every_file_and_field() -> None:
    text = (Path(__file__).parents[2] / "results/SUBMISSION.md").read_text(encoding="utf-8")
    schema = manifest_schema()
    fields = [*schema["required"], *schema["properties"]["results"]["items"]["required"]]
    assert [each for each in fields if f"`{each}`" not in text] == []
    assert [each for each in (*NAMED, "submission.json") if f"\n    {each} " not in text] == []
