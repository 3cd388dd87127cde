"""What an encoder passes before a run keeps or uses features under its fingerprint.

A new fingerprint is held to the rules of `encoders check` that take some seconds, once; that
it passed is remembered in the home. Where features are cached, one clip is encoded again: an
encoder whose fingerprint does not follow its weights would be scored on those of another.
"""

from __future__ import annotations

from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
import torch

from marble_eval.audio import UnusableAudio
from marble_eval.encoders import facts_of
from marble_eval.errors import MarbleError, ValidationError
from marble_eval.features.stores.store import ClipName
from marble_eval.features.workers.batches import Clip, Keep, encode_batch
from marble_eval.files.atomic_file import write_atomically
from marble_eval.files.fingerprint import digest_of
from marble_eval.files.home import home_folder
from marble_eval.runs.encoder_check import QUICK, check

if TYPE_CHECKING:
    from marble_eval.encoders import Encoder
    from marble_eval.progress import Progress
    from marble_eval.runs.run_plan import RunPlan

# Of a layer's largest value. Float16 storage and another device's sums move less, also where
# the large products are of half precision; other weights move more.
_FLOAT32, _LOWERED = 5e-3, 3e-2


def admit(prepared: RunPlan, progress: Progress) -> None:
    """Stop a run whose encoder breaks a rule, or is not the one that filled the cache.

    Raises
    ------
    ValidationError
        If a rule is broken.
    MarbleError
        If a cached clip is encoded to other numbers.
    """
    store, digests = prepared.plan.store, prepared.survey.digests
    complete = [store.is_complete(digests[each.id]) for each in prepared.survey.usable]
    if not all(complete):
        check_once(prepared.encoder, progress)
    if any(complete):
        at = complete.index(True)
        if store.is_whole(digests[prepared.survey.usable[at].id]):
            _check_cached(prepared, at)


def check_once(encoder: Encoder, progress: Progress) -> None:
    """Hold an encoder of a new fingerprint to the quick rules."""
    passed = home_folder() / "checked_encoders" / digest_of([encoder.fingerprint(), _version()])
    if passed.exists():
        return
    progress.say(f"{encoder.name} is new here: some rules of `encoders check` are tried first")
    broken = [each for each in check(encoder, rules=QUICK) if not each.ok]
    if broken:
        found = "\n".join(f"  {each.name}: {each.said}" for each in broken)
        raise ValidationError(
            f"{encoder.name}: must keep the rules of an encoder before its features are kept. "
            f"Broken:\n{found}\nTry it with marble-eval encoders check, and mend it."
        )
    with suppress(OSError):  # it is tried again then
        passed.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(passed, b"")


def _version() -> str:
    return version("marble-eval")


def _check_cached(prepared: RunPlan, at: int) -> None:
    """Encode the first clip of a cached track again, and compare."""
    track, plan, encoder = prepared.survey.usable[at], prepared.plan, prepared.encoder
    audio, facts = prepared.survey.digests[track.id], facts_of(prepared.encoder)
    try:
        cuts = plan.cuts.cut(track.path)
    except UnusableAudio:
        return
    clip = Clip(ClipName(audio, 0, len(cuts)), track.path, cuts[0])
    forms = [Keep(plan.cuts, plan.store).form]
    ((found,),) = encode_batch(encoder, [clip], forms, torch.device(facts.device))
    # A clip's embedding is one row, the first piece of a track's frames as many as it has.
    rows = found.shape[1] if found.ndim == 3 else 1
    layers = [plan.store.read_layer(audio, layer, 0, rows) for layer in range(len(found))]
    stored = np.stack(layers).reshape(found.shape)
    axes = tuple(range(1, found.ndim))
    new, old = found.astype(np.float64), stored.astype(np.float64)
    scale = np.abs(old).max(axis=axes, keepdims=True).clip(min=1e-4)
    apart = float(np.abs((new - old) / scale).max())
    if not apart < (_FLOAT32 if facts.precision == "float32" else _LOWERED):
        raise MarbleError(
            f"{encoder.name}: must give what is cached under its fingerprint. {track.path} gives "
            f"other numbers, {apart:.1%} of a layer's largest off. Were weights changed in place "
            f"after the fingerprint was taken? fingerprint() must compute it when asked, from "
            f"weights and buffers; if the network is right, remove {plan.store.folder}."
        )
