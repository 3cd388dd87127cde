"""Which features a run needs: how tracks are cut, what is kept, and where it is stored.

Features are found by what they are made from, never by names: the encoder's
fingerprint, the windows, what is kept of the frames, and the number type. One embedding
per clip is cheap, so all layers are kept; of frames, only the layers that are probed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from marble_eval.audio import windowing_fingerprint
from marble_eval.audio.pieces import FrameGrid
from marble_eval.encoders import facts_of, normalises
from marble_eval.errors import SpecError
from marble_eval.features.clip_rules import ClipCuts, Cuts, FrameCuts
from marble_eval.features.stores import FrameStore, PooledStore
from marble_eval.features.workers.batches import Keep
from marble_eval.files.fingerprint import digest_of
from marble_eval.files.home import home_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from marble_eval.encoders import Encoder
    from marble_eval.features.stores import Store
    from marble_eval.spec import FeatureSpec, ProtocolSpec, TaskRules

_RATIO_ERROR = 1e-3  # of a rate to a whole part of the encoder's


class FeaturePlan(NamedTuple):
    """The features of a run."""

    cuts: Cuts  # how tracks are cut, and what is kept
    store: Store  # where the features are
    fingerprint: str  # what identifies them
    pooling: str  # what is kept, in words
    # Where every frame of whole tracks is kept: the mean over the frames too, which a task with one
    # estimate per track needs.
    beside: Keep | None = None

    @property
    def frame_rate(self) -> float | None:
        """Return the kept frames per second, in Hz; None where those of a clip are averaged."""
        return self.cuts.grid.rate if self.cuts.grid else None


def feature_plan(
    encoder: Encoder,
    features: FeatureSpec,
    protocol: ProtocolSpec,
    rules: TaskRules,
    layers: Mapping[str, tuple[int, ...]],
) -> FeaturePlan:
    """Return which features a run needs; nothing is made on disk yet.

    ``layers`` are what each probe reads, by position. SpecError: the frame rate is no whole
    part of the encoder's.
    """
    windowing = protocol.windowing(rules)
    normalised = normalises(encoder, protocol.rules)
    minimum = int(facts_of(encoder).minimum_samples)
    about = {
        "encoder": encoder.fingerprint(),
        # Resampling is done here, so the rate counts whatever the encoder digests.
        "sample_rate": encoder.sample_rate,
        "layers": len(encoder.layers),
        "width": encoder.width,
        "windowing": windowing_fingerprint(windowing),
        "normalised": normalised,
    }
    root, width = home_folder() / "features", encoder.width
    if rules.frames is None:
        about["pooling"] = "clip mean"
        fingerprint = digest_of({**about, "dtype": features.dtype})
        return FeaturePlan(
            ClipCuts(windowing, normalised, encoder.sample_rate, minimum),
            PooledStore(
                root / fingerprint,
                layers=len(encoder.layers),
                width=width,
                dtype=features.dtype,
                about={"name": encoder.name, **about},
            ),
            fingerprint,
            "clip mean",
        )
    step = _step(encoder, features.frame_rate)
    beside = None
    if windowing.clip_seconds is None:
        pooled = feature_plan(encoder, features, protocol, replace(rules, frames=None), layers)
        beside = Keep(pooled.cuts, pooled.store)
    kept = tuple(sorted({at for reads in layers.values() for at in reads}))
    grid = FrameGrid(encoder.sample_rate, float(encoder.frame_rate), step)
    context = rules.frames.context_seconds
    about |= {
        "pooling": "frames",
        "frame_rate": grid.rate,
        "frames_in_one": step,
        "kept_layers": list(kept),
        "context_seconds": context,
    }
    fingerprint = digest_of({**about, "dtype": features.dtype})
    return FeaturePlan(
        FrameCuts(windowing, normalised, minimum, grid, kept, context),
        FrameStore(
            root / fingerprint,
            layers=len(kept),
            width=width,
            dtype=features.dtype,
            about={"name": encoder.name, **about},
        ),
        fingerprint,
        f"{grid.rate:g} frames a second",
        beside,
    )


def _step(encoder: Encoder, frame_rate: float | None) -> int:
    """Return how many of the encoder's frames make one."""
    if frame_rate is None:
        return 1
    ratio = float(encoder.frame_rate) / frame_rate
    step = round(ratio)
    if step < 1 or abs(ratio - step) > _RATIO_ERROR:
        near = sorted({max(1, int(ratio)), max(1, int(ratio) + 1)})
        rates = " or ".join(f"{encoder.frame_rate / each:.6g}" for each in near)
        raise SpecError(
            f"features.frame_rate: must be a whole part of the {encoder.frame_rate:g} frames a "
            f"second of {encoder.name}. Got {frame_rate:g}. Take {rates}."
        )
    return step
