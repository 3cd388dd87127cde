"""Everything that is settled before the encoder starts.

Which tracks, which files, which features are cached, where the result goes and
whether it is there already. Whatever can be wrong with the input is found here,
all unusable files in one list.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from marble_eval.data.tracks import unspread_labels
from marble_eval.encoders import Encoder, facts_of
from marble_eval.encoders.loaded import found_device
from marble_eval.errors import MissingError, SpecError
from marble_eval.features.audio_check import Survey, Unusable, survey
from marble_eval.features.plan import FeaturePlan, feature_plan
from marble_eval.files.fingerprint import digest_of
from marble_eval.files.home import check_writable
from marble_eval.probes.grid import layer_choices
from marble_eval.results import result_folder
from marble_eval.runs.identity import data_digests, deviations_of, unit_of, variant_of
from marble_eval.runs.task_data import (
    check_scorable,
    check_splits_differ,
    misfits,
    reader_remarks,
    task_tracks,
)
from marble_eval.spec import SPLITS

if TYPE_CHECKING:
    import torch

    from marble_eval.progress import Progress
    from marble_eval.registry import Task
    from marble_eval.results import Deviation
    from marble_eval.spec import Settings, TaskRules, Track

_LISTED = 20  # files named in a message; the others are counted


@dataclass(frozen=True)
class RunPlan:
    """A run that could start."""

    task: Task
    encoder: Encoder
    settings: Settings
    rules: TaskRules
    plan: FeaturePlan
    layers: dict[str, tuple[int, ...]]
    seeds: tuple[int, ...]
    tracks: list[Track]
    survey: Survey
    said: tuple[str, ...]

    @property
    def device(self) -> torch.device:
        """Return the device on which probes are trained."""
        return found_device(self.settings.engine.device, "probes")

    @property
    def deviations(self) -> tuple[Deviation, ...]:
        """Return how the run departs from its protocol."""
        return deviations_of(
            self.settings.protocol, self.survey.unusable, self.task, self.rules.frames
        )

    @property
    def digests(self) -> tuple[str, str]:
        """Return the digests of data and split."""
        return data_digests(self.tracks, self.survey)

    @property
    def unit(self) -> str:
        """Return the fingerprint of all that can move a score."""
        return unit_of(
            self.task,
            digest_of(self.digests),  # groups, which intervals rest on, are in the second
            self.plan.fingerprint,
            self.settings.protocol,
            self.rules,
            self.settings.probe,
            {"layers": list(self.layers), "seeds": self.seeds},
        )

    @property
    def remarks(self) -> list[str]:
        """Return what is particular about this copy of the data."""
        gone = {each.track.id for each in self.survey.unusable}
        there = {each.id for each in self.tracks} - gone
        return [
            *self.task.spec.remarks,
            *self.said,
            *(
                f"{each.split} without {each.id}: {each.reason}"
                for each in self.task.spec.may_lack
                if each.id not in there
            ),
            *check_splits_differ(self.survey.usable, self.survey.digests, self.task),
        ]

    @property
    def folder(self) -> Path | None:
        """Return where the result goes, or None if it is not to be written."""
        settings = self.settings
        if settings.results is None:
            return None
        return result_folder(
            settings.results,
            encoder=self.encoder.name,
            revision=str(facts_of(self.encoder).revision),
            task=self.task.spec.name,
            version=self.task.spec.version,
            variant=variant_of(
                settings if self.task.kind.estimate == "frame" else _pooled(settings),
                self.encoder,
                list(self.layers),
                self.deviations,
            ),
        )

    def without(self, unusable: list[Unusable]) -> RunPlan:
        """Return the preparation after decoding found more unusable files."""
        surveyed = self.survey.without(unusable)
        _settle(surveyed, self.task, self.settings)
        return replace(self, survey=surveyed)


def plan_run(task: Task, encoder: Encoder, settings: Settings, progress: Progress) -> RunPlan:
    """Settle a run; what the machine lacks is found before any file is read."""
    found_device(settings.engine.device, "probes")
    if settings.results is not None:
        check_writable(settings.results, "results", "Name another folder: results=FOLDER.")
    rules = _rules(task, settings)
    layers = layer_choices(encoder.layers, settings.layers, settings.protocol)
    plan = feature_plan(encoder, settings.features, settings.protocol, rules, layers)
    task, tracks = task_tracks(task, settings.root, settings.splits)
    surveyed = survey(
        tracks, plan.store, plan.cuts, readers=settings.engine.readers, progress=progress
    )
    surveyed = surveyed.without(misfits(surveyed.usable, task))
    _settle(surveyed, task, settings)
    check_splits_differ(surveyed.usable, surveyed.digests, task)
    check_scorable(surveyed.usable, task, rules)
    return RunPlan(
        task=task,
        encoder=encoder,
        settings=settings,
        rules=rules,
        plan=plan,
        layers=layers,
        seeds=settings.seed_list,
        tracks=tracks,
        survey=surveyed,
        said=(
            *reader_remarks(task, settings.root, settings.splits),
            *(unspread_labels(tracks) if task.provider == "folder" else ()),
        ),
    )


def _rules(task: Task, settings: Settings) -> TaskRules:
    """Return the card's rules, with what the run does otherwise."""
    rules = task.rules(settings.protocol.rules)
    try:
        frames = rules.frames and settings.frames.over(rules.frames)
    except ValueError as error:
        raise SpecError(f"frames: {error}") from None
    return replace(rules, frames=frames)


def _pooled(settings: Settings) -> Settings:
    """Leave out what pooled features do not depend on."""
    return replace(settings, features=replace(settings.features, frame_rate=None))


def _settle(surveyed: Survey, task: Task, settings: Settings) -> None:
    """Stop at unusable files, unless they are excused or the run is to go on."""
    excused = {each.id for each in task.spec.may_lack}
    lost = [each for each in surveyed.unusable if each.track.id not in excused]
    if not lost:
        return
    listed = "\n".join(f"  {each.track.path}: {each.reason}" for each in lost[:_LISTED])
    more = f"\n  and {len(lost) - _LISTED} more" if len(lost) > _LISTED else ""
    summary = f"{len(lost)} audio files of {task.spec.name} cannot be used:\n{listed}{more}"
    if settings.missing == "stop":
        raise MissingError(
            f"{summary}\nMend them, or take missing=report to go on without them; the result "
            f"then says so and does not conform to the protocol."
        )
    for split in SPLITS:
        if not any(each.split == split for each in surveyed.usable):
            raise MissingError(f"{summary}\nNothing is left of the {split} split.")
