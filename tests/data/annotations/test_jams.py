"""JAMS files: what is read of them, and what is said of those that are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from marble_eval.data.annotations.jams import Annotation, Observation, only, read_annotations


def jams_file(folder: Path, *annotations: object) -> Path:
    path = folder / "a.jams"
    path.write_text(json.dumps({"annotations": annotations}), encoding="utf-8-sig")
    return path


def test_annotations_of_other_namespaces_are_not_looked_into(tmp_path: Path) -> None:
    path = jams_file(
        tmp_path,
        {"namespace": "pitch_contour", "data": "dense"},
        {"namespace": "beat", "data": []},
        {"namespace": "beat", "data": [{"time": 2, "duration": None, "value": 1}, {"time": 1.5}]},
        {"namespace": "onset", "sandbox": {"annotation_type": " Onset "}, "data": [{"time": 0}]},
    )
    found = read_annotations(path, ("beat", "onset"))
    assert [(each.namespace, each.purpose) for each in found] == [("beat", ""), ("onset", "onset")]
    assert [each.time for each in found[0].observations] == [1.5, 2.0]
    assert [each.value for each in found[0].observations] == [None, 1]
    with pytest.raises(ValueError, match=r"namespace key or chord, .* Got pitch_contour, beat, on"):
        read_annotations(path, ("key", "chord"))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("dense", "'data' of beat must be a list of objects, or an object of lists. Got 'dense'."),
        ([1.5], "'data' of beat must be a list of objects"),
        ({"time": [1], "value": [1, 2]}, "'data' must have lists of one length."),
        ({"time": 1}, "'data' must have lists of one length."),
        ([{"time": 1}, {"value": 1}], "'time' of observation 2 of beat must be a number of sec"),
        ([{"time": "1"}], "'time' of observation 1 of beat must be a number"),
        ([{"time": True}], "'time' of observation 1 of beat must be a number"),
        ([{"time": float("nan")}], "'time' of observation 1 of beat must be a number"),
        ([{"time": 10**400}], "'time' of observation 1 of beat must be a number"),
        ([{"time": -1}], "0 or more. Got -1."),
    ],
)
def test_data_that_cannot_be_read_is_told(tmp_path: Path, data: object, told: str) -> None:
    path = jams_file(tmp_path, {"namespace": "beat", "data": data})
    with pytest.raises(ValueError) as caught:
        read_annotations(path, ("beat",))
    assert str(caught.value).startswith(f"{path}: ")
    assert told in str(caught.value)


def test_of_two_annotations_neither_is_taken() -> None:
    one = Annotation("beat", "", (Observation(0.0, 0.0, 1),))
    assert only([one], Path("a.jams")) == one
    with pytest.raises(ValueError, match=r"^a\.jams: must have one annotation of beat\. Got 2\."):
        only([one, one], Path("a.jams"))
