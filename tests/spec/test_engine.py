"""Engines: what may stand in their configs, and what contradicts itself."""

import dataclasses
from typing import Any

import pytest

from marble_eval.registry.configuration import load_engine


@pytest.mark.parametrize("address", ["auto", "local", "10.0.0.7:6379", "head.example.org:10001"])
def test_a_cluster_is_named_by_a_word_or_an_address(address: str) -> None:
    assert dataclasses.replace(load_engine("ray"), address=address).address == address


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("local", {"processes": -1}, "'processes' must not be negative. Got -1"),
        ("local", {"gpus": 1.0}, "'gpus' belongs to engine=ray. Got 1.0"),
        ("local", {"cpus": 2.0}, "'cpus' belongs to engine=ray. Got 2.0"),
        ("ray", {"address": "10.0.0.7"}, "'address' must be auto, local or HOST:PORT"),
        ("ray", {"address": "ray://10.0.0.7:10001"}, "'address' must be auto, local or HOST:PORT"),
        ("ray", {"address": ""}, "'address' must be auto, local or HOST:PORT"),
        ("ray", {"processes": 2}, "'processes' must be 0 with Ray. Got 2"),
        ("ray", {"gpus": -0.5}, "'gpus' must not be negative. Got -0.5"),
        ("ray", {"cpus": 0.0}, "'cpus' must be positive. Got 0.0"),
    ],
)
def test_what_contradicts_itself_is_refused(name: str, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(load_engine(name), **changes)


def test_this_machine_alone_is_the_default() -> None:
    assert load_engine("local").address is None
    assert load_engine("ray").address == "auto"
