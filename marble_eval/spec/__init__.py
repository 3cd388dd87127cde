"""Frozen descriptions of what is to be done: tasks, windows, protocols, runs.

The values live once, in the YAML of a task card or a config, and `from_mapping`
builds the dataclass from it, refusing unknown names, missing ones and wrong types.
Only a task card may leave things out, so that a card of one's own data can be short.
"""

from marble_eval.spec.download import Download
from marble_eval.spec.encoder import UNSTATED, EncoderCard, untrained
from marble_eval.spec.engine import EngineSpec
from marble_eval.spec.frames import FrameChoices, FrameRules
from marble_eval.spec.layout import SPLITS, Layout, SplitList
from marble_eval.spec.mapping import from_mapping
from marble_eval.spec.probe import Fit, FittedProbe, Probe, TrainedProbe
from marble_eval.spec.protocol import (
    Aggregation,
    Channels,
    ProtocolSpec,
    Resampler,
    SumStart,
    TaskRules,
    Unit,
    Windowing,
)
from marble_eval.spec.settings import FeatureSpec, Settings
from marble_eval.spec.task import (
    Annotation,
    Excused,
    Label,
    Source,
    TaskSpec,
    Track,
)

__all__ = [
    "SPLITS",
    "UNSTATED",
    "Aggregation",
    "Annotation",
    "Channels",
    "Download",
    "EncoderCard",
    "EngineSpec",
    "Excused",
    "FeatureSpec",
    "Fit",
    "FittedProbe",
    "FrameChoices",
    "FrameRules",
    "Label",
    "Layout",
    "Probe",
    "ProtocolSpec",
    "Resampler",
    "Settings",
    "Source",
    "SplitList",
    "SumStart",
    "TaskRules",
    "TaskSpec",
    "Track",
    "TrainedProbe",
    "Unit",
    "Windowing",
    "from_mapping",
    "untrained",
]
