"""What a run did, from audio to scores, and its caveats, as sentences about one result.

They state only what the record holds; each can stand alone or after "For GTZAN,", without a full
stop, and is empty where nothing applies.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from marble_eval.kinds import KINDS, load_kind
from marble_eval.report.summary import excludes_commerce

if TYPE_CHECKING:
    from marble_eval.results import Result
    from marble_eval.spec import Windowing

_CHANNELS = {
    "mean": "mixed to mono by the mean of its channels",
    "first": "taken from its first channel",
}
_TAILS = {
    "keep": "kept as it was",
    "pad": "padded with zeros to full length",
    "drop": "dropped",
}
_NAMED = 5  # missing tracks named for one reason; more are counted, the records name them


def rules(result: Result) -> str:
    """State program and protocol."""
    protocol = result.protocol
    return (
        f"results were made with marble-eval {result.tool_version} under protocol "
        f"{protocol.name} (version {protocol.version}, {protocol.track} track)"
    )


def audio(result: Result) -> str:
    """State how audio became clips."""
    windowing = result.features.windowing
    crop = windowing.crop_seconds
    return (
        f"audio was {_CHANNELS[windowing.channels]}, "
        + ("" if crop is None else f"cut to its first {crop:g} s, ")
        + f"resampled to the rate of the encoder ({windowing.resampler}) and encoded "
        + _clips(windowing)
        + "; where an encoder takes a normalised waveform, mean and variance were those of "
        + ("the whole track" if windowing.normalise == "track" else "each clip")
    )


def _clips(windowing: Windowing) -> str:
    seconds, hop = windowing.clip_seconds, windowing.hop_seconds
    if seconds is None:
        return "in one piece"
    every = "without overlap" if hop is None or hop == seconds else f"one every {hop:g} s"
    rest = f"a shorter last one was {_TAILS[windowing.tail]}"
    if windowing.tail != "drop" and windowing.tail_seconds:
        rest += f" if it had at least {windowing.tail_seconds:g} s, and dropped if not"
    return f"in clips of {seconds:g} s {every} ({rest})"


def features(result: Result) -> str:
    """State what was kept of the hidden states."""
    rate, pooling = result.features.frame_rate, result.features.pooling
    if rate is not None:
        kept = f"hidden states were kept at {rate:g} frames a second"
    elif pooling == "clip mean":
        kept = "hidden states were averaged over the frames of a clip"
    else:
        kept = f"hidden states were pooled ({pooling})"
    return f"{kept} and stored as {result.features.dtype}"


def probe(result: Result) -> str:
    """State the probe."""
    return f"the probe was {result.probe.description}"


def grid(result: Result) -> str:
    """State layers, settings and seeds tried."""
    settings = sorted({point.setting for point in result.grid})
    setting, plural = result.probe.setting, "s" * (len(settings) != 1)
    what = f"value{plural} of {setting}" if len(setting) == 1 else f"{setting}{plural}"
    return (
        f"the grid was {_layers(result)} × {len(settings)} {what} "
        f"({', '.join(f'{each:g}' for each in settings)}), {_seeds(result)}"
    )


def _layers(result: Result) -> str:
    trained, single = {point.layer for point in result.grid}, result.encoder.layers
    sums = " and a learned sum of layers" if trained - set(single) else ""
    if trained >= set(single):
        return ("every layer" if len(single) > 1 else "the encoder's one layer") + sums
    some = [layer for layer in single if layer in trained]
    if not some:
        return "a learned sum of layers alone"
    return f"layer{'s' * (len(some) > 1)} {listed(some)} of {len(single)}{sums}"


def _seeds(result: Result) -> str:
    """Describe the seeds: all on the whole grid, or the later ones on the best settings only."""
    seeds = tuple(dict.fromkeys(point.seed for point in result.grid))
    texts = [str(seed) for seed in seeds]
    if len(seeds) == 1:
        return f"on seed {texts[0]}"
    of_seed: dict[int, dict[str, set[float]]] = defaultdict(lambda: defaultdict(set))
    for point in result.grid:
        of_seed[point.seed][point.layer].add(point.setting)
    once = [all(len(of) == 1 for of in of_seed[seed].values()) for seed in seeds]
    if all(once[1:]) and not once[0]:
        again = f"the best {result.probe.setting} of a layer again on {listed(texts[1:])}"
        return f"on seed {texts[0]}, and {again}"
    return f"on seeds {listed(texts)}"


def choice(result: Result) -> str:
    """State what was chosen on validation, and what a score is."""
    trained = any(point.epochs for point in result.grid)
    settings = f"checkpoint, {result.probe.setting}" if trained else result.probe.setting
    seeds = len(result.chosen.seeds)
    score = f", and a score is the mean over its {seeds} seeds" if seeds > 1 else ""
    return (
        f"{settings} and layer were chosen on the validation split alone; "
        f"the test split was scored once, with the chosen probe{score} (test scores of other "
        f"layers, where they are shown, were not chosen from)"
    )


def frames(result: Result) -> str:
    """State how frame estimates became events, and when one is correct."""
    used = result.protocol.frames
    if used is None:
        return ""
    context = f" with {used.context_seconds:g} s of context" if used.context_seconds else ""
    text = (
        f"probes were trained on windows of {used.window_seconds:g} s{context}, "
        f"{used.batch_windows} in a batch, and their outputs interpolated to {used.rate:g} "
        f"frames a second"
    )
    kind = result.task.kind
    method = load_kind(kind).method_of(used) if kind in KINDS else ""
    return f"{text}; {method}" if method else text


def deviations(result: Result) -> str:
    """List the deviations from the protocol."""
    found = result.protocol.deviation_sentences
    return f"the run deviated from its protocol: {'; '.join(found)}" if found else ""


def missing(result: Result) -> str:
    """List the unusable tracks of every split, with reasons."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for each in result.counts.missing:
        reasons[each.reason].append(each.id)
    if not reasons:
        return ""
    parts = [
        f"{len(ids)} ({reason}" + (f": {', '.join(ids)})" if len(ids) <= _NAMED else ")")
        for reason, ids in sorted(reasons.items())
    ]
    total = len(result.counts.missing)
    return f"{total} track{'s' * (total > 1)} could not be used: {listed(parts)}"


def remarks(result: Result) -> str:
    """Repeat the remarks of the record."""
    return f"the record notes: {'; '.join(result.notes)}" if result.notes else ""


def overlap(result: Result) -> str:
    """State known overlap of the data with pre-training."""
    if not result.encoder.overlap:
        return ""
    return f"the weights may have seen data of the task: {result.encoder.overlap}"


def terms_of_weights(result: Result) -> str:
    """State non-commercial terms of the weights, which scores inherit."""
    return _terms("weights", result.encoder.licence)


def terms_of_data(result: Result) -> str:
    """State non-commercial terms of the data, which scores inherit."""
    return _terms("data", result.task.licence)


def _terms(what: str, licence: str) -> str:
    if not excludes_commerce(licence):
        return ""
    return f"the licence of the {what} ({licence}) excludes commercial use, and scores inherit it"


def environment(result: Result) -> str:
    """State the environment."""
    place = result.environment
    packages = [
        f"{name} {version}"
        for name, version in sorted(place.packages.items())
        if version != "not installed"
    ]
    return (
        f"runs used Python {place.python} with {listed(packages)} on {place.platform} "
        f"(device {place.device})"
    )


def listed(names: Iterable[str]) -> str:
    """Join names as a sentence does."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
