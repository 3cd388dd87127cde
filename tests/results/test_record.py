"""The dataclasses of a result say the same as its published schema."""

import dataclasses
import json
import types
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from marble_eval.results import Counts, Missing, ProtocolRecord, Result
from marble_eval.results.caveats import TracksLeftOut
from marble_eval.results.schema import from_json, load_schema

EXAMPLE = Path(__file__).with_name("example_result.json").read_text(encoding="utf-8")


def _compare(hint: Any, schema: dict[str, Any], where: str) -> int:
    """Walk down annotation and schema side by side; return how many fields were met."""
    if get_origin(hint) is types.UnionType:
        members = [each for each in get_args(hint) if each is not type(None)]
        if "oneOf" in schema:
            pairs = zip(members, schema["oneOf"], strict=True)
            return sum(_compare(each, of_it, where) for each, of_it in pairs)
        hint = members[0]
    if get_origin(hint) is tuple:
        return _compare(get_args(hint)[0], schema["items"], f"{where}[]")
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        names = [field.name for field in dataclasses.fields(hint)]
        assert list(schema["properties"]) == schema["required"] == names, where
        assert schema["additionalProperties"] is False, where
        hints = get_type_hints(hint)
        return len(names) + sum(
            _compare(hints[name], schema["properties"][name], f"{where}/{name}") for name in names
        )
    if where == "/metrics":
        return _compare(get_args(hint)[1], schema["additionalProperties"], f"{where}/*")
    return 0


def test_every_field_of_the_record_stands_in_the_schema() -> None:
    assert _compare(Result, load_schema(), "") > 80


def test_a_file_written_by_hand_is_read_with_its_types() -> None:
    result = from_json(EXAMPLE, "example")
    assert result.grid[0].setting == 5e-5
    assert result.encoder.layers == ("0", "1", "2")
    assert result.features.windowing.clip_seconds == 30.0
    assert result.counts.missing == (Missing("rock.00099", "no such file"),)
    assert list(result.metrics) == ["accuracy", "macro_f1"]
    assert result.confusion == ((1, 1), (0, 2))


def test_every_part_is_frozen() -> None:
    result = from_json(EXAMPLE, "example")
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.chosen.layer = "2"  # type: ignore[misc]


def test_a_run_with_deviations_cannot_conform() -> None:
    lost = TracksLeftOut("test", 1, None)
    with pytest.raises(ValueError, match="'conforms' must be true just when"):
        ProtocolRecord("marble-v1", 1, "constrained", True, (lost,), None)
    with pytest.raises(ValueError, match="'conforms' must be true just when"):
        ProtocolRecord("marble-v1", 1, "constrained", False, (), None)


def test_a_track_cannot_be_left_unscored_without_a_name() -> None:
    with pytest.raises(ValueError, match="must name every track"):
        Counts(expected=5, scored=3, missing=(Missing("a", "no such file"),))


def test_confusion_must_be_square_over_the_labels() -> None:
    result = from_json(EXAMPLE, "example")
    for wrong in (((1, 2),), ((1, 2), (3,)), ((1, 0, 0), (0, 1, 0), (0, 0, 1))):
        with pytest.raises(ValueError, match="square over the 2 labels"):
            dataclasses.replace(result, confusion=wrong)
    assert dataclasses.replace(result, confusion=()).confusion == ()


def test_the_example_has_the_order_of_the_schema() -> None:
    assert list(json.loads(EXAMPLE)) == load_schema()["required"]
