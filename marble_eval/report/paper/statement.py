"""The protocol as it was run, as a paragraph for a paper.

What results share is stated once; where they differ, each part gets a sentence that names it by as
little as distinguishes it: tasks, encoders, protocols, or those together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from marble_eval.errors import MissingError
from marble_eval.names import visible
from marble_eval.report.paper import run_sentences
from marble_eval.report.paper.bibtex import bibtex_text
from marble_eval.report.paper.run_sentences import listed
from marble_eval.results import Result, read_predictions, read_result
from marble_eval.scores.split_scores import RESAMPLES

if TYPE_CHECKING:
    from marble_eval.results import Result

_TRAITS: tuple[Callable[[Result], str], ...] = (
    lambda result: result.task.name,
    lambda result: result.encoder.name,
    lambda result: result.protocol.name,
    lambda result: f"revision {result.encoder.revision}",
    lambda result: f"probe {result.probe.name}",
    lambda result: f"version {result.task.version} of the task",
    lambda result: f"run {result.unit}",
)
# Which traits name a part, in the order they are tried; the last names each run.
_NAMINGS = (
    (0,),
    (1,),
    (2,),
    (0, 1),
    (0, 2),
    (1, 2),
    (1, 3),
    (4,),
    (0, 1, 2),
    (0, 1, 2, 3, 4, 5, 6),
)


def sentences(results: Sequence[Result], say: Callable[[Result], str]) -> list[str]:
    """State a fact of results in one sentence, or one for each group where it differs."""
    parts: dict[str, list[Result]] = {}
    for result in results:
        parts.setdefault(say(result), []).append(result)
    written = []
    for said, part in parts.items():
        if said and len(part) == len(results):
            written.append(f"{said[0].upper()}{said[1:]}.")
        elif said:
            written.append(f"For {named(part, results)}, {said}.")
    return written


def named(part: Sequence[Result], whole: Sequence[Result]) -> str:
    """Name some of the results by what distinguishes them from the others."""
    members = {id(each) for each in part}
    others = [each for each in whole if id(each) not in members]
    for naming in _NAMINGS:
        names = {_name(each, naming) for each in part}
        if names.isdisjoint(_name(each, naming) for each in others):
            break
    return listed(sorted(names, key=str.casefold))


def _name(result: Result, naming: Sequence[int]) -> str:
    first, *others = (_TRAITS[trait](result) for trait in naming)
    return f"{first} ({', '.join(others)})" if others else first


def statement(paths: Iterable[Path], *, latex: bool = False) -> str:
    """State how results were made."""
    files = sorted(set(paths))
    results = [read_result(path) for path in files]
    if not results:
        return ""
    drawn = {id(each): _drawn(path) for each, path in zip(results, files, strict=True)}
    written = [
        *sentences(results, run_sentences.rules),
        _encoders(results),
        *_data(results),
        *sentences(results, run_sentences.audio),
        *sentences(results, run_sentences.features),
        *sentences(results, run_sentences.probe),
        *sentences(results, run_sentences.frames),
        *sentences(results, run_sentences.grid),
        *sentences(results, run_sentences.choice),
        *sentences(results, lambda result: _intervals(result, drawn[id(result)])),
        *sentences(results, lambda result: _groups(drawn[id(result)])),
        *_deviations(results),
        *sentences(results, run_sentences.missing),
        *sentences(results, run_sentences.remarks),
        *sentences(results, run_sentences.overlap),
        *sentences(results, run_sentences.terms_of_weights),
        *sentences(results, run_sentences.terms_of_data),
        *sentences(results, run_sentences.environment),
    ]
    text = " ".join(" ".join(written).split())
    return (bibtex_text(text) if latex else visible(text)) + "\n"


def _encoders(results: Sequence[Result]) -> str:
    written = sorted({_encoder(each) for each in results}, key=str.casefold)
    if len(written) == 1:
        return f"The frozen encoder was {written[0]}."
    return f"The {len(written)} frozen encoders were {listed(written)}."


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
    """Count the tracks of each task, and name embedded data."""
    parts = []
    for task in sorted({each.task.name for each in results}, key=str.casefold):
        of_task = [each for each in results if each.task.name == task]
        parts += [f"{task} {each}" for each in _tracks(of_task)]
    written = [
        "Tracks for training, tracks for validation, and test tracks scored of those expected: "
        f"{'; '.join(parts)}."
    ]
    embedded = sorted({each.task.name for each in results if each.task.embedded})
    if embedded:
        written.append(
            f"{listed(embedded)} {'is' if len(embedded) == 1 else 'are'} embedded data, music that "
            f"marble-eval composes and renders itself: these scores are not "
            f"comparable with scores on recorded music."
        )
    return written


def _tracks(results: Sequence[Result]) -> list[str]:
    """Count the tracks of one task, separately where its results differ."""
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
    written = sentences(results, run_sentences.deviations)
    return written or ["No run deviated from its protocol."]


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
