"""The protocol as it was run, as a paragraph for a paper.

Every sentence comes from the records of the results: what they share is said once, and
where they differ each part gets a sentence that names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from marble_eval.errors import MissingError
from marble_eval.report.paper import caveat_sentences, method_sentences
from marble_eval.report.paper.facets import listed, named, sentences
from marble_eval.report.paper.latex_text import latex_text
from marble_eval.results import read_predictions, read_result
from marble_eval.scores.split_scores import RESAMPLES

if TYPE_CHECKING:
    from marble_eval.results import Result


def statement(paths: Iterable[Path], *, latex: bool = False) -> str:
    """State how results were made."""
    files = sorted(set(paths))
    results = [read_result(path) for path in files]
    if not results:
        return ""
    drawn = {id(each): _drawn(path) for each, path in zip(results, files, strict=True)}
    told = [
        *sentences(results, method_sentences.rules),
        _encoders(results),
        *_data(results),
        *sentences(results, method_sentences.audio),
        *sentences(results, method_sentences.features),
        *sentences(results, method_sentences.probe),
        *sentences(results, method_sentences.frames),
        *sentences(results, method_sentences.grid),
        *sentences(results, method_sentences.choice),
        *sentences(results, lambda result: _intervals(result, drawn[id(result)])),
        *sentences(results, lambda result: _groups(drawn[id(result)])),
        *_deviations(results),
        *sentences(results, caveat_sentences.missing),
        *sentences(results, caveat_sentences.remarks),
        *sentences(results, caveat_sentences.overlap),
        *sentences(results, caveat_sentences.terms_of_weights),
        *sentences(results, caveat_sentences.terms_of_data),
        *sentences(results, caveat_sentences.environment),
    ]
    text = " ".join(" ".join(told).split())
    return (latex_text(text) if latex else text) + "\n"


def _encoders(results: Sequence[Result]) -> str:
    told = sorted({_encoder(each) for each in results}, key=str.casefold)
    if len(told) == 1:
        return f"The frozen encoder was {told[0]}."
    return f"The {len(told)} frozen encoders were {listed(told)}."


def _encoder(result: Result) -> str:
    encoder = result.encoder
    facts = [
        f"revision {encoder.revision}",
        *([] if encoder.step is None else [f"step {encoder.step} of its pre-training"]),
        f"{len(encoder.layers)} layer{'s' * (len(encoder.layers) > 1)} of width {encoder.width}",
        f"computed in {encoder.precision}",
        *([] if encoder.remote_code is None else [f"by the code of {encoder.remote_code}"]),
    ]
    return f"{encoder.name} ({', '.join(facts)})"


def _data(results: Sequence[Result]) -> list[str]:
    """Say how many tracks of each task were used, and what data is embedded."""
    parts = []
    for task in sorted({each.task.name for each in results}, key=str.casefold):
        of_task = [each for each in results if each.task.name == task]
        parts += [f"{task} {each}" for each in _tracks(of_task)]
    told = [
        "Tracks for training, tracks for validation, and test tracks scored of those expected: "
        f"{'; '.join(parts)}."
    ]
    embedded = sorted({each.task.name for each in results if each.task.embedded})
    if embedded:
        told.append(
            f"{listed(embedded)} {'is' if len(embedded) == 1 else 'are'} embedded data, music that "
            f"marble-eval composes and renders itself: such scores say nothing of recorded music "
            f"and do not stand beside scores on it."
        )
    return told


def _tracks(results: Sequence[Result]) -> list[str]:
    """Count the tracks of one task, apart where its results differ."""
    parts: dict[str, list[Result]] = {}
    for result in results:
        sizes, counts = result.task.sizes, result.counts
        said = (
            f"(version {result.task.version}) {sizes.get('train', 0)}, {sizes.get('valid', 0)} "
            f"and {counts.scored} of {counts.expected}"
        )
        parts.setdefault(said, []).append(result)
    if len(parts) == 1:
        return list(parts)
    return [f"{said} for {named(part, results)}" for said, part in parts.items()]


def _deviations(results: Sequence[Result]) -> list[str]:
    told = sentences(results, caveat_sentences.deviations)
    return told or ["No run departed from its protocol."]


def _intervals(result: Result, drawn: _Drawn | None) -> str:
    levels = sorted({each.level for each in result.metrics.values()})
    level = listed(f"{100 * each:g} %" for each in levels)
    # The record does not hold the number of resamples; this version knows its own.
    number = (
        f" with {RESAMPLES:,} resamples" if result.tool_version == version("marble-eval") else ""
    )
    if drawn is None:
        what = "the test tracks or groups of them (the predictions that would tell are not there)"
    elif drawn.groups == drawn.items:
        what = "the test tracks"
    else:
        what = "groups of test tracks that belong together"
    return f"intervals are {level} percentile intervals of a bootstrap{number} over {what}"


def _groups(drawn: _Drawn | None) -> str:
    if drawn is None or drawn.groups == drawn.items:
        return ""
    return f"the test tracks form {drawn.groups} groups"


class _Drawn(NamedTuple):
    """How many test items there are, and of how many groups."""

    items: int
    groups: int


def _drawn(path: Path) -> _Drawn | None:
    """Count what the bootstrap drew; None without the predictions that tell."""
    try:
        predictions = read_predictions(path)
    except MissingError:
        return None
    test = predictions[predictions["split"] == "test"]
    return _Drawn(test["id"].nunique(), test["group"].nunique())
