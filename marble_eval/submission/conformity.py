"""Whether a record agrees with the protocol and the task that it names.

The preset, with the deviations on record, must give the windows of the
features, the rules of the frames and MARBLE's track; the installed card must be the one
the task was run with. The fingerprint of the run covers all of these, so it is computed
anew: a deviation that was taken out shows in it.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from marble_eval.errors import SpecError
from marble_eval.files.fingerprint import digest_of
from marble_eval.results import TracksLeftOut, deviation_sentences
from marble_eval.runs.identity import deviations_of, track_of, unit_of
from marble_eval.submission.findings import Finding, shown
from marble_eval.submission.submitted import protocol_as_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marble_eval.registry import Task
    from marble_eval.results import Deviation
    from marble_eval.spec import Probe, ProtocolSpec, TaskRules
    from marble_eval.submission.submitted import Submitted

_OF_ALL_TASKS = ("channels", "resampler", "normalise")


def check_conformity(submitted: Submitted) -> tuple[list[Finding], list[str]]:
    """Hold a record against its protocol and its task's card."""
    result = submitted.result
    try:
        protocol = protocol_as_run(result.protocol)
    except SpecError as error:
        rule = "protocol and deviations must be such as marble-eval knows"
        return [submitted.says(rule, shown(str(error)), "a preset and its departures")], []
    found, unchecked = _deviations(submitted, protocol)
    probe = submitted.probe
    if probe is None:
        rule = "probe must be as its name and options make it"
        found.append(submitted.says(rule, shown(dataclasses.asdict(result.probe)), "such a probe"))
    elif track_of(probe, protocol) != result.protocol.track:
        rule = "protocol.track must follow from the probe"
        expected = track_of(probe, protocol)
        found.append(submitted.says(rule, result.protocol.track, expected))
    found += _windows(submitted, protocol)
    if submitted.task is None:
        return found, unchecked
    if submitted.rules is None:
        rule = f"the card of {submitted.task_name} must have rules for the protocol"
        return [*found, submitted.says(rule, result.protocol.name, "one of the card's")], unchecked
    found += _card_facts(submitted, submitted.task)
    of_identity = _card_digest(submitted, submitted.task)
    if not of_identity and probe is not None and not submitted.unknown:
        of_identity = _unit(submitted, submitted.task, submitted.rules, protocol, probe)
    # What claims to conform is checked whatever version it says made it: it could say any.
    if submitted.of_this_version or result.protocol.conforms:
        return found + of_identity, unchecked
    said = [f"{each.rule}; marble-eval {result.tool_version} made it" for each in of_identity]
    return found, [*unchecked, *said]


def _deviations(submitted: Submitted, protocol: ProtocolSpec) -> tuple[list[Finding], list[str]]:
    """Check the deviations themselves: each known, needed, and as it would be recorded today."""
    result, task, found = submitted.result, submitted.task, []
    if result.protocol.version != protocol.version:
        rule = "protocol.version must be that of the preset, or a deviation"
        found.append(submitted.says(rule, result.protocol.version, protocol.version))
    without_lost = [
        each
        for each in result.protocol.deviations
        if not isinstance(each, TracksLeftOut) and each not in submitted.unknown
    ]
    if task is not None and submitted.rules is not None:
        frames = result.protocol.frames
        expected = list(deviations_of(protocol, [], task, frames))
        if without_lost != expected:
            rule = "protocol.deviations must be those of what was run"
            got = _in_words(submitted, without_lost)
            found.append(submitted.says(rule, got, _in_words(submitted, expected)))
        if (frames is None) != (submitted.rules.frames is None):
            rule = "protocol.frames must be there just where the card has them"
            pair = (
                "null" if each is None else "rules" for each in (frames, submitted.rules.frames)
            )
            found.append(submitted.says(rule, *pair))
    if not submitted.unknown:
        return found, []
    if submitted.of_this_version:
        rule = "protocol.deviations must be such as marble-eval writes"
        return [
            *found,
            submitted.says(rule, _in_words(submitted, submitted.unknown), "its own"),
        ], []
    said = f"deviations of another version: {_in_words(submitted, submitted.unknown)}"
    return found, [said]


def _in_words(submitted: Submitted, deviations: Sequence[Deviation]) -> str:
    return shown(list(deviation_sentences(deviations, submitted.result.protocol.name)))


def _windows(submitted: Submitted, protocol: ProtocolSpec) -> list[Finding]:
    """Hold the windows of the features against protocol and card."""
    windowing, rules = submitted.result.features.windowing, submitted.rules
    if rules is None:
        expected = {name: getattr(protocol, name) for name in _OF_ALL_TASKS}
    else:
        expected = dataclasses.asdict(protocol.windowing(rules))
    return [
        submitted.says(
            f"features.windowing.{name} must be the protocol's and the card's",
            shown(getattr(windowing, name)),
            shown(value),
        )
        for name, value in expected.items()
        if getattr(windowing, name) != value
    ]


def _card_facts(submitted: Submitted, task: Task) -> list[Finding]:
    """Hold what the record repeats from the card against it."""
    result, spec = submitted.result, task.spec
    labels = [each.name for each in result.labels]
    pairs: list[tuple[str, object, object]] = [
        (f"task.{name}", getattr(result.task, name), getattr(spec, name))
        for name in ("column", "embedded")
    ]
    if result.task.card_digest == digest_of(spec):  # else its digest is the finding
        pairs.append(("task.licence", result.task.licence, spec.licence))
    if task.kind.estimate != "frame":
        pairs.append(("labels", labels, list(spec.labels)))
        also = [f"{name}_by_recording" for name in spec.metrics]
        by_recording = submitted.rules is not None and bool(submitted.rules.also_scored)
        wanted = [*spec.metrics, *(also if by_recording else [])]
        pairs.append(("metrics", list(result.metrics), wanted))
    else:  # a metric without a reference in any track is left out
        wanted = [name for name in spec.metrics if name in result.metrics]
        pairs.append(("metrics", list(result.metrics), wanted))
        main = next(iter(result.metrics))
        pairs.append(("the main metric", main, spec.main_metric))
    return [
        submitted.says(f"{what} must be the card's", shown(got), shown(expected))
        for what, got, expected in pairs
        if got != expected
    ]


def _card_digest(submitted: Submitted, task: Task) -> list[Finding]:
    digest = digest_of(task.spec)
    if submitted.result.task.card_digest == digest:
        return []
    rule = f"task.card_digest must be that of the installed card of {submitted.task_name}"
    return [submitted.says(rule, submitted.result.task.card_digest, digest)]


def _unit(
    submitted: Submitted, task: Task, rules: TaskRules, protocol: ProtocolSpec, probe: Probe
) -> list[Finding]:
    """Compute the fingerprint of the run from what the record says was run."""
    result = submitted.result
    as_run = dataclasses.replace(rules, frames=result.protocol.frames)
    unit = unit_of(
        task,
        digest_of((result.task.data_digest, result.task.split_digest)),
        result.features.fingerprint,
        protocol,
        as_run,
        probe,
        {"layers": list(result.choices.layers), "seeds": result.choices.seeds},
    )
    if unit == result.unit:
        return []
    rule = (
        "'unit' must be the fingerprint of what the record says was run: task, data, features, "
        "protocol with its deviations, probe, layers and seeds"
    )
    return [submitted.says(rule, result.unit, unit)]
