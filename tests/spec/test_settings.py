"""What the user chooses for a run, and the seeds that follow from it."""

from __future__ import annotations

from typing import Any

import pytest

from marble_eval.errors import SpecError
from marble_eval.registry import load_probe
from marble_eval.registry.configuration import load_engine, load_protocol, run_defaults
from marble_eval.spec import Settings, from_mapping

FEATURES = run_defaults()["features"]


def settings(**changes: Any) -> Settings:
    values = run_defaults()
    del values["dry_run"]
    values |= {
        "root": None,
        "splits": None,
        "results": None,
        "protocol": load_protocol("marble-v1"),
        "probe": load_probe("mlp"),
        "engine": load_engine("local"),
    }
    return from_mapping(Settings, values | changes, "marble-eval run")


def test_the_seeds_follow_the_first() -> None:
    assert settings(seed=7, seeds=3).seed_list == (7, 8, 9)


def test_the_ends_of_a_range_are_taken() -> None:
    assert settings(seed=0, seeds=1).seed_list == (0,)
    assert settings(seed=2**31 - 1, seeds=1).seed_list == (2**31 - 1,)


def test_a_probe_without_random_numbers_has_one_seed() -> None:
    assert settings(seed=7, seeds=3, probe=load_probe("logreg")).seed_list == (7,)


def test_the_default_is_marble_s_own_seed_and_all_layers() -> None:
    default = settings()
    assert default.seed == 1234  # pl.seed_everything in both of MARBLE's codes
    assert default.layers == "all"
    assert default.missing == "stop"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": 0}, "marble-eval run: 'seeds' must be 1 to 1000. Got 0."),
        ({"seeds": "many"}, "marble-eval run: 'seeds' must be of type int. Got 'many'."),
        ({"seed": -1}, "marble-eval run: 'seed' must lie in 0 to 2**31 - 1. Got -1."),
        ({"seed": 2**31}, "marble-eval run: 'seed' must lie in 0 to 2**31 - 1. Got 2147483648."),
        ({"missing": "skip"}, "'missing' must be one of stop, report. Got 'skip'."),
        ({"features": FEATURES | {"dtype": "float61"}}, "Got 'float61'. Did you mean 'float16'"),
        ({"features": FEATURES | {"max_bytes": 0}}, "'max_bytes' must be positive. Got 0"),
        ({"features": FEATURES | {"frame_rate": -25}}, "'frame_rate' must be positive. Got -25"),
        ({"features": "float32"}, "'features': must be a mapping of names to values. Got"),
        ({"frames": {"decoder": "hmm"}}, "'decoder' must be 'dbn' or 'peaks' or null. Got 'hmm'."),
        ({"frames": {"temp": [60, 90]}}, "unknown name 'temp'. Did you mean 'tempo'"),
        ({"layers": "al"}, "'layers' must be 'all' or a list. Got 'al'."),
        ({"layers": [True]}, "'layers'[0] must be of type int or of type str. Got True."),
        ({"force": "yes"}, "'force' must be of type bool. Got 'yes'."),
        ({"sed": 3}, "marble-eval run: unknown name 'sed'. Did you mean 'seed'"),
    ],
)
def test_a_choice_that_does_not_exist_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        settings(**changes)
    assert message in str(caught.value)


@pytest.mark.parametrize("layers", [[0], [5, "sum"], ["log-mel"]])
def test_layers_are_numbers_or_names(layers: list[int | str]) -> None:
    assert settings(layers=layers).layers == tuple(layers)
