"""Frozen descriptions of what is to be done: tasks, windows, protocols, runs.

Each is a dataclass without defaults: the values live once, in the YAML of a
task card or a config, and `from_mapping` builds the dataclass from it, refusing
unknown names, missing ones and wrong types.
"""

from marble_eval.spec.mapping import from_mapping
from marble_eval.spec.protocol import (
    Aggregation,
    Channels,
    EngineSpec,
    ProbeSpec,
    ProtocolSpec,
    Resampler,
    TaskRules,
    Windowing,
)
from marble_eval.spec.settings import Settings
from marble_eval.spec.task import SPLITS, Excused, Layout, Source, SplitList, TaskSpec, Track

__all__ = [
    "SPLITS",
    "Aggregation",
    "Channels",
    "EngineSpec",
    "Excused",
    "Layout",
    "ProbeSpec",
    "ProtocolSpec",
    "Resampler",
    "Settings",
    "Source",
    "SplitList",
    "TaskRules",
    "TaskSpec",
    "Track",
    "Windowing",
    "from_mapping",
]
