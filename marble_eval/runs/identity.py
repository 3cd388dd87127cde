"""What a run is: its departures from the protocol, its folder, its fingerprint.

A run may choose encoder, layers, probe, seeds and folders. Whatever else differs
from the preset is a deviation. The unit fingerprint covers all
that can move a score, so a finished run is skipped only if it would give the
same result again.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

from marble_eval.encoders import facts_of
from marble_eval.files.fingerprint import digest_of, file_digest
from marble_eval.registry import load_probe, probe_names, probe_options
from marble_eval.registry.configuration import load_protocol, run_defaults
from marble_eval.results import RuleChanged, TracksLeftOut, deviation_sentences
from marble_eval.spec import SPLITS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from marble_eval.encoders import Encoder
    from marble_eval.features.audio_check import Survey, Unusable
    from marble_eval.registry import Task
    from marble_eval.results import Deviation
    from marble_eval.spec import FrameRules, Probe, ProtocolSpec, Settings, TaskRules, Track

# Raised when training, choice or scoring changes in a way that can move a score.
METHOD_VERSION = 4


def deviations_of(
    protocol: ProtocolSpec,
    unusable: Sequence[Unusable],
    task: Task,
    frames: FrameRules | None = None,
) -> tuple[Deviation, ...]:
    """Say how a run departs from its protocol."""
    preset = load_protocol(protocol.name)
    found: list[Deviation] = [*_changed(protocol, preset)]
    of_card = task.rules(protocol.rules).frames
    if frames is not None and of_card is not None:
        found += _changed(frames, of_card, "frames.")
    excused = {each.id for each in task.spec.may_lack}
    for split in SPLITS:
        lost = [
            each for each in unusable if each.track.split == split and each.track.id not in excused
        ]
        if lost:
            size = task.spec.sizes.get(split) if task.spec.counted == "track" else None
            found.append(TracksLeftOut(split, len(lost), size))
    return tuple(found)


def _changed(
    run: ProtocolSpec | FrameRules, preset: ProtocolSpec | FrameRules, prefix: str = ""
) -> list[RuleChanged]:
    """Compare the rules as run with those asked for, field by field."""
    pairs = [
        (field.name, getattr(run, field.name), getattr(preset, field.name))
        for field in dataclasses.fields(preset)
    ]
    return [
        RuleChanged(prefix + name, got, expected)
        for name, got, expected in pairs
        if got != expected
    ]


def track_of(probe: Probe, protocol: ProtocolSpec) -> Literal["constrained", "semi-constrained"]:
    """Return MARBLE's track: constrained with the protocol's own head, else semi-constrained."""
    return "constrained" if probe == load_probe(protocol.head) else "semi-constrained"


def _identified(probe: Probe) -> dict[str, Any]:
    """Give what identifies a probe; absent options as they were when every probe had all."""
    absent = {"hidden": 0, "dropout": 0.0, "inverse_penalties": ()}
    return {**absent, **probe_options(probe), "name": probe.name}


def variant_of(
    settings: Settings, encoder: Encoder, layers: Sequence[str], deviations: Sequence[Deviation]
) -> str:
    """Name the last folder of a result: the protocol, and the choices made."""
    probe, defaults = settings.probe, run_defaults()
    parts = [settings.protocol.name]
    if probe != load_probe(settings.protocol.head):
        shipped = probe.name in probe_names() and probe == load_probe(probe.name)
        digest = digest_of(_identified(probe))
        parts.append(f"probe={probe.name}" + ("" if shipped else f"-{digest[:6]}"))
    if settings.layers != "all":
        parts.append("layers=" + "-".join(layers))
    if (settings.seed, settings.seeds) != (defaults["seed"], defaults["seeds"]):
        parts.append("seeds=" + "-".join(str(each) for each in settings.seed_list))
    precision = facts_of(encoder).precision
    if precision != "float32":
        parts.append(f"precision={precision}")
    usual = defaults["features"]
    if settings.features.dtype != usual["dtype"]:
        parts.append(f"features={settings.features.dtype}")
    if settings.features.frame_rate != usual["frame_rate"]:
        parts.append(f"frames={settings.features.frame_rate:g}")
    if deviations:
        # Of the sentences, as when records held those: folders keep their names.
        said = deviation_sentences(deviations, settings.protocol.name)
        parts.append(f"deviates={digest_of(list(said))[:6]}")
    return ",".join(parts)


def data_digests(tracks: Sequence[Track], surveyed: Survey) -> tuple[str, str]:
    """Digest what is trained and scored on."""
    used = sorted(
        (each.id, each.split, each.recording, surveyed.digests[each.id], each.label)
        for each in surveyed.usable
    )
    return digest_of(used), digest_of(sorted((each.id, each.split, each.group) for each in tracks))


def unit_of(
    task: Task,
    data_digest: str,
    features: str,
    protocol: ProtocolSpec,
    rules: TaskRules,
    probe: Probe,
    choices: Mapping[str, Any],
) -> str:
    """Fingerprint all that can move a score."""
    code = task.folder / "task.py"
    return digest_of(
        {
            "method": METHOD_VERSION,
            "task": task.spec,
            "task code": file_digest(code) if code.is_file() else "",
            "data": data_digest,
            "features": features,
            "protocol": protocol,
            "rules": rules,
            "probe": _identified(probe),
            "choices": dict(choices),
        }
    )
