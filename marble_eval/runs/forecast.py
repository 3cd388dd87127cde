"""What a run will take, said before it starts: clips, frames, bytes and hours.

Hours are measured, not looked up: one clip of the data is encoded and one step of
training done on this machine, and the rest is arithmetic. They are an upper bound
for training, since most probes stop before the last epoch.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from marble_eval.audio import UnusableAudio
from marble_eval.encoders import facts_of
from marble_eval.probes import Member, TrainedProbe
from marble_eval.probes.grid.frame_batches import ROWS
from marble_eval.probes.group import ProbeGroup
from marble_eval.probes.matrix_products import fast_products
from marble_eval.results import deviation_sentences
from marble_eval.runs.budget import feature_bytes, in_words, savings
from marble_eval.runs.training import grid_plan
from marble_eval.spec import SPLITS

if TYPE_CHECKING:
    from marble_eval.runs.run_plan import RunPlan


_TRIALS = 4  # steps of training, of which the fastest counts: things load on first use


def announcements(prepared: RunPlan) -> list[str]:
    """Describe what is about to be encoded, and what is odd about the data, a sentence each."""
    found, plan = prepared.survey, prepared.plan
    size = in_words(found.new_rows * plan.store.row_bytes)
    frames = ""
    if prepared.task.kind.estimate == "frame":
        frames = f" ({found.cached_rows + found.new_rows} frames, {plan.pooling})"
    return [
        *prepared.remarks,
        f"{len(found.usable)} tracks{frames}: {found.cached_clips} clips from the cache, "
        f"{found.new_clips} to encode, {size} to write",
    ]


def outlook(prepared: RunPlan) -> list[str]:
    """Describe what a run would do, and for frames what it would take, in lines for a person."""
    task, settings, facts = prepared.task, prepared.settings, facts_of(prepared.encoder)
    sizes = ", ".join(
        f"{split} {sum(each.split == split for each in prepared.survey.usable)}" for split in SPLITS
    )
    lines = [
        f"{task.spec.name}@{task.spec.version}: {sizes}; licence: {task.spec.licence}",
        f"{facts.name} ({facts.revision}): {len(facts.layers)} "
        f"layers of width {facts.width}; licence: {facts.card.licence}",
        *announcements(prepared),
        f"{_probes(prepared)} probes ({len(prepared.layers)} layers, seeds {prepared.seeds})",
    ]
    if task.kind.estimate == "frame" and settings.probe.serves_frames:
        lines += _cost(prepared)
    deviations = deviation_sentences(prepared.deviations, settings.protocol.name)
    lines.append(f"{settings.protocol.name}: " + ("; ".join(deviations) or "conforms"))
    return lines


def _probes(prepared: RunPlan) -> int:
    rates = prepared.rules.learning_rates or prepared.settings.protocol.learning_rates
    each = prepared.settings.probe.settings or rates
    return len(prepared.layers) * (len(each) + len(prepared.seeds) - 1)


def _cost(prepared: RunPlan) -> list[str]:
    """Say what every frame of a task takes, and what the choices would save."""
    total, limit = feature_bytes(prepared), prepared.settings.features.max_bytes
    verdict = "" if total <= limit else ", which is too much"
    encode, train = _encoding_seconds(prepared), _training_seconds(prepared)
    return [
        f"{in_words(total)} of features for {prepared.plan.store.shape[0]} layers "
        f"(features.max_bytes {in_words(limit)}{verdict})",
        f"about {encode / 3600:.2g} h to encode, at most {train / 3600:.2g} h to train, "
        f"by a trial on this machine",
        "to make it less:",
        *(f"  {each}" for each in savings(prepared)),
    ]


def _encoding_seconds(prepared: RunPlan) -> float:
    """Encode one clip of the data, and say how long all that are not cached would take."""
    if not prepared.survey.new_clips:
        return 0.0
    encoder, cuts, store = prepared.encoder, prepared.plan.cuts, prepared.plan.store
    digests = prepared.survey.digests
    device = torch.device(facts_of(encoder).device)
    for each in prepared.survey.usable:
        if store.is_complete(digests[each.id]):
            continue
        try:
            audio = torch.from_numpy(cuts.cut(each.path)[0].audio)[None].to(device)
        except UnusableAudio:
            continue  # told when the run meets it
        with fast_products(device), torch.inference_mode():
            encoder.hidden_states(audio[:, : max(cuts.minimum_samples, encoder.sample_rate)])
            started = time.perf_counter()
            encoder.hidden_states(audio).cpu()
            return (time.perf_counter() - started) * prepared.survey.new_clips
    return 0.0


def _training_seconds(prepared: RunPlan) -> float:
    """Do one step of training, and say how long all epochs of all probes would take."""
    cuts, found = prepared.plan.cuts, prepared.survey
    if cuts.grid is None or not found.usable:
        return 0.0
    plan = grid_plan(prepared)
    rules = plan.training_rules()
    share = {
        split: sum(each.split == split for each in found.usable) / len(found.usable)
        for split in SPLITS
    }
    rows = found.cached_rows + found.new_rows
    epochs = len(_rates(prepared)) + len(prepared.seeds) - 1
    seconds = 0.0
    # A pass forward takes a third of one forward and back.
    passes = share["train"] + share["valid"] / 3
    for read in {len(each) for each in plan.layers.values()}:
        alike = sum(len(each) == read for each in plan.layers.values())
        pace = _seconds_a_row(tuple(range(read)), prepared, rules.loss, rules.outputs)
        seconds += alike * pace * rows * passes * rules.patience.max_epochs * epochs
    return seconds


def _rates(prepared: RunPlan) -> tuple[float, ...]:
    return prepared.rules.learning_rates or prepared.settings.protocol.learning_rates


def _seconds_a_row(reads: tuple[int, ...], prepared: RunPlan, loss: str, outputs: int) -> float:
    device, width = prepared.device, prepared.plan.store.shape[1]
    member = Member("trial", reads, 1e-3, prepared.seeds[0])
    probe = prepared.settings.probe
    if not isinstance(probe, TrainedProbe):
        raise TypeError(f"probe={probe.name} is not trained by gradient descent.")
    group = ProbeGroup([member], probe, loss=loss, width=width, outputs=outputs, device=device)
    features = torch.zeros(len(reads), ROWS // 4, width, device=device)
    goals = torch.zeros(ROWS // 4, outputs, device=device)
    took = []
    with fast_products(device), torch.inference_mode():
        for _ in range(_TRIALS):
            started = time.perf_counter()
            group.add(features, goals, 0.0)
            group.step(np.zeros(1))
            took.append(time.perf_counter() - started)
    return min(took) / (ROWS // 4)
