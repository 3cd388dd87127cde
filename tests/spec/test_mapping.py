"""From YAML text to dataclasses: what is taken, what is refused, and the words for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from marble_eval.errors import SpecError
from marble_eval.spec import from_mapping


@dataclass(frozen=True, slots=True)
class Inner:
    seconds: float

    def __post_init__(self) -> None:
        if self.seconds < 0:
            raise ValueError(f"'seconds' must not be negative. Got {self.seconds!r}.")


@dataclass(frozen=True, slots=True)
class Outer:
    name: str
    number: int
    share: float
    flag: bool
    mode: Literal["stop", "report"]
    layers: Literal["all"] | tuple[int | str, ...]
    rates: tuple[float, ...]
    limit: int | None
    inner: Inner
    maybe: Inner | None
    blocks: Mapping[str, Inner]
    table: Mapping[str, tuple[int, ...]]
    anything: Any = None
    notes: tuple[str, ...] = field(default_factory=tuple)


TEXT = """
name: Small
number: 3
share: 0.5
flag: true
mode: stop
layers: all
rates: [1.0e-3, 2]
limit: null
inner: {seconds: 5}
maybe: null
blocks: {fast: {seconds: 1}, slow: {seconds: 2.5}}
table: {train: [1, 2]}
"""


def build(**changes: Any) -> Outer:
    return from_mapping(Outer, {**yaml.safe_load(TEXT), **changes}, "card.yaml")


def refusal(**changes: Any) -> str:
    with pytest.raises(SpecError) as caught:
        build(**changes)
    return str(caught.value)


def test_every_kind_of_value_arrives_in_the_type_of_its_field() -> None:
    assert build() == Outer(
        name="Small",
        number=3,
        share=0.5,
        flag=True,
        mode="stop",
        layers="all",
        rates=(0.001, 2.0),
        limit=None,
        inner=Inner(5.0),
        maybe=None,
        blocks={"fast": Inner(1.0), "slow": Inner(2.5)},
        table={"train": (1, 2)},
        anything=None,
        notes=(),
    )


def test_a_whole_number_becomes_a_float_where_one_is_wanted() -> None:
    assert type(build(share=1).share) is float
    assert [type(rate) for rate in build(rates=[1, 2]).rates] == [float, float]


def test_yaml_text_that_is_meant_as_a_number_is_one() -> None:
    (rate,) = yaml.safe_load("[5e-5]")
    assert isinstance(rate, str)  # YAML 1.1 wants the dot
    assert build(rates=[rate]).rates == (5e-5,)


def test_a_value_that_is_built_already_is_kept() -> None:
    inner = Inner(7.0)
    assert build(inner=inner, maybe=inner).maybe is inner


@pytest.mark.parametrize(
    ("value", "built"),
    [("all", "all"), ([5, "sum"], (5, "sum")), ((5, 6), (5, 6)), ([], ())],
)
def test_a_union_takes_the_member_that_fits(value: Any, built: Any) -> None:
    assert build(layers=value).layers == built


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": 5}, "card.yaml: 'name' must be of type str. Got 5."),
        ({"name": None}, "card.yaml: 'name' must be of type str. Got None."),
        ({"number": "3"}, "card.yaml: 'number' must be of type int. Got '3'."),
        ({"number": 3.0}, "card.yaml: 'number' must be of type int. Got 3.0."),
        ({"number": True}, "card.yaml: 'number' must be of type int. Got True."),
        ({"share": "half"}, "card.yaml: 'share' must be of type float. Got 'half'."),
        ({"share": True}, "card.yaml: 'share' must be of type float. Got True."),
        ({"share": [1.0]}, "card.yaml: 'share' must be of type float. Got [1.0]."),
        ({"share": 10**400}, "card.yaml: 'share' must be of type float. Got 1000"),
        ({"share": float("nan")}, "card.yaml: 'share' must be a finite number. Got nan."),
        ({"share": "-inf"}, "card.yaml: 'share' must be a finite number. Got '-inf'."),
        ({"flag": 1}, "card.yaml: 'flag' must be of type bool. Got 1."),
        ({"flag": "yes"}, "card.yaml: 'flag' must be of type bool. Got 'yes'."),
        (
            {"mode": "repot"},
            "card.yaml: 'mode' must be one of stop, report. Got 'repot'. Did you mean 'report'?",
        ),
        ({"layers": 5}, "card.yaml: 'layers' must be 'all' or a list. Got 5."),
        ({"layers": "al"}, "card.yaml: 'layers' must be 'all' or a list. Got 'al'."),
        ({"layers": [1, 2.5]}, "'layers'[1] must be of type int or of type str. Got 2.5."),
        ({"layers": None}, "card.yaml: 'layers' must be 'all' or a list. Got None."),
        ({"rates": "0.1"}, "card.yaml: 'rates' must be a list. Got '0.1'."),
        ({"rates": 0.1}, "card.yaml: 'rates' must be a list. Got 0.1."),
        ({"rates": [0.1, "x"]}, "card.yaml: 'rates'[1] must be of type float. Got 'x'."),
        ({"rates": [0.1, None]}, "card.yaml: 'rates'[1] must be of type float. Got None."),
        ({"limit": "x"}, "card.yaml: 'limit' must be of type int or null. Got 'x'."),
        ({"limit": 1.5}, "card.yaml: 'limit' must be of type int or null. Got 1.5."),
        ({"inner": 5}, "card.yaml: 'inner': must be a mapping of names to values. Got 5."),
        ({"inner": {}}, "card.yaml: 'inner': 'seconds' is missing. Add it."),
        ({"inner": {"seconds": -1}}, "'inner': 'seconds' must not be negative. Got -1.0."),
        (
            {"inner": {"second": 1}},
            "card.yaml: 'inner': unknown name 'second'. Did you mean 'seconds'?",
        ),
        ({"maybe": "x"}, "card.yaml: 'maybe' must be a mapping or null. Got 'x'."),
        ({"maybe": {"seconds": "x"}}, "'maybe': 'seconds' must be of type float. Got 'x'."),
        ({"blocks": []}, "card.yaml: 'blocks' must be a mapping. Got []."),
        ({"blocks": {"a": {"seconds": "x"}}}, "'blocks'['a']: 'seconds' must be of type float."),
        ({"blocks": {1: {"seconds": 1}}}, "card.yaml: 'blocks' name must be of type str. Got 1."),
        ({"table": {"train": [1, "2"]}}, "'table'['train'][1] must be of type int. Got '2'."),
        ({"notes": [1]}, "card.yaml: 'notes'[0] must be of type str. Got 1."),
        ({"numbr": 3}, "card.yaml: unknown name 'numbr'. Did you mean 'number'? Known: anything,"),
        ({5: 3}, "card.yaml: unknown name 5. Known: anything,"),
    ],
)
def test_a_wrong_value_is_told_with_who_rule_and_what_was_got(
    changes: dict[Any, Any], message: str
) -> None:
    with pytest.raises(SpecError) as caught:
        from_mapping(Outer, {**yaml.safe_load(TEXT), **changes}, "card.yaml")
    assert message in str(caught.value)


@pytest.mark.parametrize("name", list(yaml.safe_load(TEXT)))
def test_a_missing_field_is_named(name: str) -> None:
    values = yaml.safe_load(TEXT)
    del values[name]
    with pytest.raises(SpecError) as caught:
        from_mapping(Outer, values, "card.yaml")
    assert str(caught.value) == f"card.yaml: {name!r} is missing. Add it."


@pytest.mark.parametrize("text", ["", "5", "- name", "name"])
def test_a_file_that_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match=r"^card.yaml: must be a mapping of names to values. Got "):
        from_mapping(Outer, yaml.safe_load(text), "card.yaml")


def test_a_value_error_of_the_class_gets_the_subject() -> None:
    with pytest.raises(SpecError) as caught:
        from_mapping(Inner, {"seconds": -1}, "here")
    assert str(caught.value) == "here: 'seconds' must not be negative. Got -1.0."
    assert caught.value.__cause__ is None


def test_a_path_must_be_one(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Place:
        root: Path

    with pytest.raises(SpecError, match=r"must be of type Path\. Got 'data'\."):
        from_mapping(Place, {"root": "data"}, "here")
    assert build().name == "Small"
    assert refusal(name=tmp_path).startswith("card.yaml: 'name' must be of type str.")
