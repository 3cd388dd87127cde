"""The grid of a submitted result: whether it is whole, and whether its choice follows from it.

Every layer is trained with every setting on the first seed, and with the best one on the
others; the layer is the one that is best on validation. Probes whose outputs were no
longer finite have no score: the record's divergences name them, and they may be absent.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from marble_eval.submission.findings import Finding, shown, some

if TYPE_CHECKING:
    from marble_eval.results import GridPoint, LayerScore, Result
    from marble_eval.submission.submitted import Submitted

# Sums of the same numbers in another order; stored text gives floats back exactly.
EQUAL = 1e-6
_SHARES = 1e-4  # of a learned sum: means of float32

Point = tuple[str, str, int]  # layer, setting (six digits are all that schema 4 kept), seed


def check_choice(submitted: Submitted) -> list[Finding]:
    """Check that the grid is whole, and that curve and choice follow from it."""
    result, says = submitted.result, submitted.says
    found = []
    if result.chosen.seeds != result.choices.seeds:
        rule = "chosen.seeds must be those that were asked for"
        found.append(says(rule, list(result.chosen.seeds), list(result.choices.seeds)))
    sums = [each for each in result.choices.layers if each not in result.encoder.layers]
    if len(sums) > 1:
        rule = "choices.layers must be layers of the encoder, and at most one learned sum"
        found.append(says(rule, some(sums), "layers"))
    found += _sums_left_out(submitted, sums)
    layers = _trained_layers(result)
    points: dict[str, list[GridPoint]] = {each: [] for each in layers}
    for point in result.grid:
        if point.layer not in points or point.seed not in result.choices.seeds:
            where = f"layer {point.layer}, seed {point.seed}"
            rule = "grid must be of the layers and seeds that were asked for"
            found.append(says(rule, shown(where), "no such point"))
        else:
            points[point.layer].append(point)
    best = {}
    for layer, of_layer in points.items():
        faults, setting = _whole(submitted, layer, of_layer)
        found += faults
        if setting is not None:
            best[layer] = setting
    found += _epochs(submitted)
    found += _curve(submitted, points, best)
    return found + _chosen(submitted, sums)


def _trained_layers(result: Result) -> list[str]:
    untrained = {each.layer for each in result.left_out if each.reason == "no learned sum"}
    return [each for each in result.choices.layers if each not in untrained]


def _sums_left_out(submitted: Submitted, sums: Sequence[str]) -> list[Finding]:
    """Check that the learned sum, and nothing else, is left out just where the probe has none."""
    result, probe = submitted.result, submitted.probe
    if probe is None:  # said elsewhere
        return []
    got = [each.layer for each in result.left_out if each.reason == "no learned sum"]
    expected = [] if probe.reads_sum else list(sums)
    if got == expected:
        return []
    rule = "left_out must name the learned sum just where the probe reads single layers"
    return [submitted.says(rule, shown(got), shown(expected))]


def _settings(submitted: Submitted) -> tuple[float, ...] | None:
    """Give the settings of the grid in their order; None where only the card knows them."""
    rules, probe = submitted.rules, submitted.probe
    if probe is not None and probe.settings is not None:
        return probe.settings
    if rules is None or submitted.protocol is None:  # the latter is a finding elsewhere
        return None
    return rules.learning_rates or submitted.protocol.learning_rates


def _excused(result: Result) -> set[Point]:
    """Name the probes that have no score, since their outputs were never finite."""
    return {
        (each.layer, f"{each.setting:g}", each.seed)
        for each in result.divergences
        if not each.scored
    }


def _whole(
    submitted: Submitted, layer: str, points: Sequence[GridPoint]
) -> tuple[list[Finding], float | None]:
    """Check the points of a layer, and give the setting that is best on the first seed."""
    result, settings = submitted.result, _settings(submitted)
    first, *others = result.choices.seeds
    excused = _excused(result)
    there = Counter((each.setting, each.seed) for each in points)
    if settings is None:  # without the card: those that were tried first
        settings = tuple(each.setting for each in points if each.seed == first)
    wanted = [(each, first) for each in settings]
    valid = {each.setting: each.valid for each in reversed(points) if each.seed == first}
    # Of equals the earlier setting wins, as in training.
    best = max((each for each in settings if each in valid), key=lambda s: valid[s], default=None)
    if best is not None:
        wanted += [(best, seed) for seed in others]
    lacking = [
        f"setting {setting:g}, seed {seed}"
        for setting, seed in wanted
        if (setting, seed) not in there and (layer, f"{setting:g}", seed) not in excused
    ]
    extra = [f"setting {s:g}, seed {seed}" for s, seed in there if (s, seed) not in wanted]
    twice = [f"setting {s:g}, seed {seed}" for (s, seed), count in there.items() if count > 1]
    rule = f"grid of layer {shown(layer)} must have each setting once on the first seed, and the "
    rule += "best one on every other"
    found = []
    for names, what in ((lacking, "nothing for"), (extra, "besides"), (twice, "twice")):
        if names:
            found.append(submitted.says(rule, f"{what} {some(names)}", f"{len(wanted)} points"))
    return found, best


def _epochs(submitted: Submitted) -> list[Finding]:
    """Check that no probe was trained longer than the rules allow."""
    result, rules, protocol = submitted.result, submitted.rules, submitted.protocol
    found = []
    wrong = [each for each in result.grid if each.best_epoch > each.epochs]
    if wrong:
        rule = "grid must have its best epoch among those trained"
        found.append(submitted.says(rule, wrong[0].best_epoch, f"at most {wrong[0].epochs}"))
    if rules is None or protocol is None:
        return found
    limit = min(rules.max_epochs, protocol.max_epochs or rules.max_epochs)
    longest = max(each.epochs for each in result.grid)
    if longest > limit:
        rule = "grid must not be trained longer than protocol and card allow"
        found.append(submitted.says(rule, f"{longest} epochs", f"at most {limit}"))
    return found


def _curve(
    submitted: Submitted, points: dict[str, list[GridPoint]], best: dict[str, float]
) -> list[Finding]:
    """Check the curve against the grid: its layers, their settings and validation scores."""
    result, says = submitted.result, submitted.says
    gone = {each.layer for each in result.left_out if each.reason == "diverged"}
    expected = [each for each in points if each not in gone]
    layers = [each.layer for each in result.layers]
    found = []
    if layers != expected:
        rule = "layers must be those that were asked for, in their order"
        found.append(says(rule, shown(layers), shown(expected)))
    frames = result.protocol.frames is not None
    for each in result.layers:
        if each.layer not in best:
            continue
        if each.setting != best[each.layer]:
            rule = f"layers: setting of {shown(each.layer)} must be the best of its grid"
            found.append(says(rule, each.setting, best[each.layer]))
        elif not frames:  # there the grid is of a stand-in for the metric
            mean = _mean(points[each.layer], each.setting)
            if not close(each.valid, mean):
                rule = f"layers: valid of {shown(each.layer)} must be the mean of its grid"
                found.append(says(rule, each.valid, mean))
    return found


def _mean(points: Sequence[GridPoint], setting: float) -> float:
    return fmean(each.valid for each in points if each.setting == setting)


def _chosen(submitted: Submitted, sums: Sequence[str]) -> list[Finding]:
    """Check that the choice is the best of the curve, and is what the metrics are of."""
    result, says, found = submitted.result, submitted.says, []
    ahead = max(result.layers, key=lambda each: each.valid)  # of equals the first
    if result.chosen.layer != ahead.layer:
        rule = "chosen.layer must be the best of the curve on validation"
        found.append(says(rule, shown(result.chosen.layer), shown(ahead.layer)))
    of_chosen = [each for each in result.layers if each.layer == result.chosen.layer]
    if not of_chosen:
        rule = "chosen.layer must be a layer of the curve"
        return [*found, says(rule, shown(result.chosen.layer), shown(ahead.layer))]
    found += _of_chosen(submitted, of_chosen[0])
    weights, learned = result.chosen.sum_weights, result.chosen.layer in sums
    if (weights is not None) != learned:
        rule = "chosen.sum_weights must be there for a learned sum alone"
        found.append(says(rule, shown(weights), "weights" if learned else "null"))
    elif weights is not None:
        unknown = [each for each in weights if each not in result.encoder.layers]
        if unknown or abs(sum(weights.values()) - 1) > _SHARES:
            rule = "chosen.sum_weights must be shares of the encoder's layers"
            found.append(says(rule, shown(dict(weights)), "layers, with the sum 1"))
    return found


def _of_chosen(submitted: Submitted, layer: LayerScore) -> list[Finding]:
    result, says, found = submitted.result, submitted.says, []
    if layer.setting != result.chosen.setting:
        rule = "chosen.setting must be that of its layer"
        found.append(says(rule, result.chosen.setting, layer.setting))
    if not layer.tied:
        rule = "layers: the chosen one must be tied with itself"
        found.append(says(rule, "tied false", "true"))
    name, main = next(iter(result.metrics.items()))
    for end in ("value", "low", "high"):
        got, expected = getattr(layer.test, end), getattr(main, end)
        if not close(got, expected):
            rule = f"layers: test.{end} of the chosen one must be that of {name}"
            found.append(says(rule, got, expected))
    return found


def close(got: float, expected: float) -> bool:
    """Say whether two scores are one, but for the order of a sum."""
    return math.isclose(got, expected, rel_tol=EQUAL, abs_tol=EQUAL)
