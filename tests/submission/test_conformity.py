"""Protocol, card and fingerprint: a record that claims to have followed them is held to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from marble_eval.registry import load_probe, probe_record
from marble_eval.results import ProtocolRecord
from marble_eval.results.caveats import Deviation, OtherDeviation, RuleChanged
from marble_eval.submission.conformity import check_conformity
from marble_eval.submission.submitted import InstalledTasks, Submitted, read_submitted
from tests.submission.true_results import true_result

UNIT = "'unit' must be the fingerprint of what the record says was run"


def read(path: Path, root: Path) -> Submitted:
    one, found = read_submitted(root, path.relative_to(root).as_posix(), InstalledTasks())
    assert one is not None, found
    return one


def rules_after(submitted: Submitted, **changes: Any) -> list[str]:
    found, _ = check_conformity(replace(submitted, result=replace(submitted.result, **changes)))
    return [each.rule for each in found]


def conforming(record: ProtocolRecord) -> ProtocolRecord:
    return replace(record, conforms=True, deviations=())


def test_a_true_result_conforms_and_all_of_it_was_checked(submitted: Submitted) -> None:
    assert check_conformity(submitted) == ([], [])


@pytest.mark.parametrize(
    "otherwise",
    [
        {"batch_tracks": 8},
        {"resampler": "soxr-hq"},
        {"learning_rates": (1e-3, 5e-3)},
        {"max_epochs": 30, "sum_from_layer": 0},
    ],
)
def test_told_deviations_are_right_and_deleted_ones_show(
    tmp_path: Path, otherwise: dict[str, Any]
) -> None:
    submitted = read(true_result(tmp_path, **otherwise), tmp_path)
    assert not submitted.result.protocol.conforms
    assert check_conformity(submitted) == ([], [])
    found = rules_after(submitted, protocol=conforming(submitted.result.protocol))
    assert any(each.startswith(UNIT) for each in found)


def test_a_deviation_of_the_windows_shows_in_the_windows_too(tmp_path: Path) -> None:
    submitted = read(true_result(tmp_path, resampler="soxr-hq"), tmp_path)
    found = rules_after(submitted, protocol=conforming(submitted.result.protocol))
    assert "features.windowing.resampler must be the protocol's and the card's" in found


@pytest.mark.parametrize(
    ("name", "value"), [("clip_seconds", 5.0), ("normalise", "clip"), ("tail", "drop")]
)
def test_windows_that_are_not_the_card_s_are_named(
    submitted: Submitted, name: str, value: Any
) -> None:
    features = submitted.result.features
    changed = replace(features, windowing=replace(features.windowing, **{name: value}))
    assert rules_after(submitted, features=changed) == [
        f"features.windowing.{name} must be the protocol's and the card's"
    ]


@pytest.mark.parametrize(
    "deviation",
    [
        RuleChanged("batch_tracks", 8, 32),  # the preset has 64
        RuleChanged("batch_tracks", 64, 64),
        RuleChanged("batch_tracks", 8.0, 64),
        RuleChanged("batch_tracks", "many", 64),
        RuleChanged("batch_tracks", 0, 64),
        RuleChanged("learning_rates", "0.1", (5e-05, 0.0001, 0.0005, 0.001, 0.005, 0.01)),
        RuleChanged("name", "quick", "marble-v1"),
        RuleChanged("magic", 1, 2),
        RuleChanged("frames.rate", 50.0, 100.0),
        OtherDeviation("something was done otherwise"),
    ],
)
def test_a_deviation_that_marble_eval_would_not_write_is_named(
    submitted: Submitted, deviation: Deviation
) -> None:
    protocol = replace(submitted.result.protocol, conforms=False, deviations=(deviation,))
    assert any("deviations" in each for each in rules_after(submitted, protocol=protocol))


@pytest.mark.parametrize(
    "changes",
    [
        {"choices": ("layers", ("0", "1", "2"))},
        {"choices": ("seeds", (1234, 1235))},
        {"features": ("fingerprint", "0" * 32)},
        {"task": ("data_digest", "0" * 32)},
        {"task": ("split_digest", "0" * 32)},
    ],
)
def test_the_fingerprint_of_the_run_covers_it(
    submitted: Submitted, changes: dict[str, tuple[str, Any]]
) -> None:
    ((part, (field, value)),) = changes.items()
    changed = replace(getattr(submitted.result, part), **{field: value})
    (found,) = rules_after(submitted, **{part: changed})
    assert found.startswith(UNIT)


def test_a_forged_fingerprint_is_named(submitted: Submitted) -> None:
    (found,) = rules_after(submitted, unit="0" * 32)
    assert found.startswith(UNIT)


def test_another_card_is_named(submitted: Submitted) -> None:
    task = replace(submitted.result.task, card_digest="0" * 32)
    assert rules_after(submitted, task=task) == [
        "task.card_digest must be that of the installed card of GTZAN@1"
    ]


@pytest.mark.parametrize("older", [{"tool_version": "0.0.9"}, {"written_under": 3}])
def test_a_version_that_the_record_claims_turns_no_check_off(
    submitted: Submitted, older: dict[str, Any]
) -> None:
    task = replace(submitted.result.task, card_digest="0" * 32)
    result = replace(submitted.result, task=task, **older)
    found, unchecked = check_conformity(replace(submitted, result=result))
    assert unchecked == []
    assert [each.rule for each in found] == [
        "task.card_digest must be that of the installed card of GTZAN@1"
    ]


def test_what_the_record_repeats_from_the_card_is_held_against_it(submitted: Submitted) -> None:
    result = submitted.result
    task = replace(result.task, column="", embedded=True, licence="CC0-1.0")
    metrics = {"macro_f1": result.metrics["macro_f1"], "accuracy": result.metrics["accuracy"]}
    found = rules_after(submitted, task=task, metrics=metrics, labels=result.labels[::-1])
    assert [each.removesuffix(" must be the card's") for each in found] == [
        "task.column", "task.embedded", "task.licence", "labels", "metrics"
    ]  # fmt: skip


def test_the_track_follows_from_the_probe(submitted: Submitted) -> None:
    protocol = replace(submitted.result.protocol, track="semi-constrained")
    assert rules_after(submitted, protocol=protocol) == [
        "protocol.track must follow from the probe"
    ]
    probe = probe_record(load_probe("mlp", hidden=64))
    assert rules_after(submitted, probe=probe)[0] == "protocol.track must follow from the probe"
    for changes in ({"name": "linear"}, {"setting": "C"}, {"reads_sum": False}, {"name": "none"}):
        other = replace(submitted.result.probe, **changes)
        assert rules_after(submitted, probe=other)[0] == (
            "probe must be as its name and options make it"
        )


@pytest.mark.parametrize("name", ["marble-v9", "../protocol", ""])
def test_an_unknown_protocol_is_named(submitted: Submitted, name: str) -> None:
    protocol = replace(submitted.result.protocol, name=name)
    assert rules_after(submitted, protocol=protocol) == [
        "protocol and deviations must be such as marble-eval knows"
    ]


def test_the_rules_of_frames_are_the_card_s_or_a_deviation(tmp_path: Path) -> None:
    submitted = read(true_result(tmp_path, "EmbeddedBeat"), tmp_path)
    assert check_conformity(submitted) == ([], [])
    frames = submitted.result.protocol.frames
    assert frames is not None
    wide = replace(submitted.result.protocol, frames=replace(frames, tolerance=0.2))
    found = rules_after(submitted, protocol=wide)
    assert found[0] == "protocol.deviations must be those of what was run"
    none = replace(submitted.result.protocol, frames=None)
    assert "protocol.frames must be there just where the card has them" in rules_after(
        submitted, protocol=none
    )


@pytest.mark.parametrize("name", ["NoSuchTask", "../GTZAN", "./tasks", "GTZANGenre"])
def test_a_task_is_looked_up_among_the_installed_and_never_as_a_path(
    submitted: Submitted, name: str
) -> None:
    result = replace(submitted.result, task=replace(submitted.result.task, name=name))
    assert InstalledTasks().of(result) is None
