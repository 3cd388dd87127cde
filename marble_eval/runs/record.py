"""Write down what a run was: from preparation and scores to a result."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import torch

from marble_eval.encoders import facts_of
from marble_eval.files.fingerprint import digest_of
from marble_eval.registry import probe_record
from marble_eval.results import (
    SCHEMA_VERSION,
    Choices,
    Cost,
    Counts,
    EncoderRecord,
    Environment,
    FeatureRecord,
    Missing,
    ProtocolRecord,
    Result,
    TaskRecord,
)
from marble_eval.runs.identity import track_of

if TYPE_CHECKING:
    from marble_eval.results import Notes
    from marble_eval.runs.run_plan import RunPlan
    from marble_eval.scores.scoring import Scores

# Packages whose version can move a score.
_PACKAGES = ("librosa", "numpy", "scikit-learn", "soundfile", "soxr", "torch", "transformers")


def make_result(prepared: RunPlan, scores: Scores, cost: Cost, clips: int, notes: Notes) -> Result:
    """Join everything that a result file holds."""
    settings, deviations = prepared.settings, prepared.deviations
    return Result(
        schema_version=SCHEMA_VERSION,
        unit=prepared.unit,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        tool_version=version("marble-eval"),
        task=_task(prepared),
        encoder=_encoder(prepared),
        features=FeatureRecord(
            fingerprint=prepared.plan.fingerprint,
            windowing=prepared.plan.cuts.windowing,
            pooling=prepared.plan.pooling,
            dtype=settings.features.dtype,
            clips=clips,
            frame_rate=prepared.plan.frame_rate,
        ),
        protocol=ProtocolRecord(
            name=settings.protocol.name,
            version=settings.protocol.version,
            track=track_of(settings.probe, settings.protocol),
            conforms=not deviations,
            deviations=deviations,
            frames=prepared.rules.frames,
        ),
        probe=probe_record(settings.probe),
        choices=Choices(tuple(prepared.layers), prepared.seeds),
        grid=scores.grid,
        layers=scores.layers,
        chosen=scores.chosen,
        metrics=scores.metrics,
        counts=_counts(prepared),
        labels=scores.labels,
        confusion=scores.confusion,
        cost=cost,
        environment=Environment(
            python=platform.python_version(),
            platform=platform.platform(),
            packages=_versions(),
            device=str(prepared.device),
        ),
        divergences=notes.divergences,
        left_out=notes.left_out,
        remarks=notes.remarks,
        written_under=SCHEMA_VERSION,
    )


def _task(prepared: RunPlan) -> TaskRecord:
    spec = prepared.task.spec
    data, split = prepared.digests
    used = prepared.survey.usable
    return TaskRecord(
        name=spec.name,
        version=spec.version,
        kind=spec.kind,
        column=spec.column,
        embedded=spec.embedded,
        licence=spec.licence,
        card_digest=digest_of(spec),
        data_digest=data,
        split_digest=split,
        sizes={
            name: sum(each.split == name for each in used) for name in ("train", "valid", "test")
        },
        provider=prepared.task.provider,
        folder=(str(prepared.task.folder.resolve()) if prepared.task.provider == "folder" else ""),
    )


def _encoder(prepared: RunPlan) -> EncoderRecord:
    facts, spec = facts_of(prepared.encoder), prepared.task.spec
    return EncoderRecord(
        name=facts.name,
        revision=str(facts.revision),
        fingerprint=prepared.encoder.fingerprint(),
        licence=facts.card.licence,
        parameters=facts.parameters,
        sample_rate=facts.sample_rate,
        frame_rate=float(facts.frame_rate),
        layers=tuple(facts.layers),
        width=facts.width,
        precision=str(facts.precision),
        trained_on=facts.card.trained_on,
        overlap=facts.card.overlap.get(spec.name, facts.card.overlap.get(spec.dataset, "")),
        citation=facts.card.citation,
        step=facts.step,
        remote_code=facts.remote_code,
    )


def _counts(prepared: RunPlan) -> Counts:
    """Count the test tracks; name every track of any split that was left out."""
    test = [each for each in prepared.tracks if each.split == "test"]
    scored = [each for each in prepared.survey.usable if each.split == "test"]
    missing = tuple(Missing(each.track.id, each.reason) for each in prepared.survey.unusable)
    return Counts(expected=len(test), scored=len(scored), missing=missing)


def _versions() -> dict[str, str]:
    found = {"torch": str(torch.__version__)}
    for name in _PACKAGES:
        try:
            found.setdefault(name, version(name))
        except PackageNotFoundError:
            found[name] = "not installed"
    return dict(sorted(found.items()))
