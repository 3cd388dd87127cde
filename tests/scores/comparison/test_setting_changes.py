"""What differs between two runs besides their scores."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from marble_eval.results import read_result
from marble_eval.results.caveats import OtherDeviation
from marble_eval.scores.comparison import SettingChange, cautions, configuration_changes
from tests.stored_results import EXAMPLE


def test_two_runs_alike_have_no_changes_whatever_they_took() -> None:
    result = read_result(EXAMPLE)
    later = dataclasses.replace(
        result,
        created="2030-01-01T00:00:00+00:00",
        cost=dataclasses.replace(result.cost, extract_seconds=9999.0),
        metrics={},
    )
    assert configuration_changes(result, later) == []


def test_every_setting_that_differs_is_named_with_both_values() -> None:
    result = read_result(EXAMPLE)
    other = dataclasses.replace(
        result,
        encoder=dataclasses.replace(result.encoder, revision="v2", step=None),
        choices=dataclasses.replace(result.choices, seeds=(1, 2)),
        environment=dataclasses.replace(result.environment, packages={"torch": "9.9"}),
    )
    changes = {each.setting: each for each in configuration_changes(result, other)}
    assert changes["encoder.revision"] == SettingChange(
        "encoder.revision", result.encoder.revision, "v2"
    )
    assert changes["choices.seeds"].second == "1, 2"
    assert changes["environment.packages.torch"].second == "9.9"
    gone = [name for name in result.environment.packages if name != "torch"]
    assert all(changes[f"environment.packages.{name}"].second is None for name in gone)
    assert "encoder.name" not in changes


def test_results_on_disk_of_two_protocols_differ_in_the_protocol(tmp_path: Path) -> None:
    result = read_result(EXAMPLE)
    other = dataclasses.replace(
        result, protocol=dataclasses.replace(result.protocol, name="marble-v2", version=3)
    )
    names = [each.setting for each in configuration_changes(result, other)]
    assert names == ["protocol.name", "protocol.version"]


def test_what_makes_scores_compare_badly_is_named() -> None:
    result = read_result(EXAMPLE)
    batch = OtherDeviation("batch_size=8")
    other = dataclasses.replace(
        result,
        task=dataclasses.replace(result.task, data_digest="0" * 32),
        protocol=dataclasses.replace(result.protocol, conforms=False, deviations=(batch,)),
        encoder=dataclasses.replace(result.encoder, name="other"),
    )
    assert cautions(result, result) == []
    assert cautions(result, other) == ["data", "deviations"]
