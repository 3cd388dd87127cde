"""Which layers are probed, and what the learned sum reads."""

from dataclasses import replace

import pytest

from marble_eval.configuration import load_protocol
from marble_eval.errors import SpecError
from marble_eval.probes.grid import layer_choices

NAMES = tuple(str(layer) for layer in range(13))
V1 = load_protocol("marble-v1")


def test_all_layers_of_mert_are_thirteen_and_a_sum_without_the_input() -> None:
    found = layer_choices(NAMES, "all", V1)
    assert list(found) == [*NAMES, "sum"]
    assert [found[name] for name in NAMES] == [(at,) for at in range(13)]
    assert found["sum"] == tuple(range(1, 13))


def test_the_protocol_says_where_the_sum_begins() -> None:
    assert layer_choices(NAMES, "all", replace(V1, sum_from_layer=0))["sum"] == tuple(range(13))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([7], ["7"]),
        (["7"], ["7"]),
        ([12, 3, "sum", 3], ["3", "12", "sum"]),
        ("sum", ["sum"]),
        ((0,), ["0"]),
    ],
)
def test_layers_are_given_by_number_or_name_and_come_in_order(
    wanted: str | list[int | str], expected: list[str]
) -> None:
    assert list(layer_choices(NAMES, wanted, V1)) == expected


def test_layers_with_names_of_their_own_are_also_found_by_number() -> None:
    names = ("mean", "deviation", "delta")
    assert layer_choices(names, [2, "mean"], V1) == {"mean": (0,), "delta": (2,)}


@pytest.mark.parametrize("names", [("mean",), ("mean", "deviation")])
def test_a_sum_of_fewer_than_two_layers_is_none(names: tuple[str, ...]) -> None:
    assert list(layer_choices(names, "all", V1)) == list(names)
    with pytest.raises(SpecError, match="layers: 'sum' must be a layer of the encoder"):
        layer_choices(names, ["sum"], V1)


@pytest.mark.parametrize("wrong", [13, -1, "twelve", "3.0"])
def test_a_layer_that_is_not_there_is_refused_with_those_that_are(wrong: int | str) -> None:
    with pytest.raises(SpecError, match=rf"layers: {wrong!r} must be .* It has 0, 1, .*, sum\."):
        layer_choices(NAMES, [3, wrong], V1)


def test_no_layer_at_all_is_refused() -> None:
    with pytest.raises(SpecError, match="at least one layer"):
        layer_choices(NAMES, [], V1)
