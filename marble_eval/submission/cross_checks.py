"""What several results must agree in: data of a task, weights of an encoder, scores of a run.

The same holds within one submission and between those of several senders. A result
that had to leave out tracks has another data digest by its nature; its deviations say so,
and it is compared with those that miss the same.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from marble_eval.files.fingerprint import digest_of
from marble_eval.leaderboard.published import odd_encoders
from marble_eval.names import look_alikes
from marble_eval.registry import task_names
from marble_eval.submission.choice import close
from marble_eval.submission.copied_predictions import Sketch, likeness, sketch_of
from marble_eval.submission.findings import Finding, printable, shown

if TYPE_CHECKING:
    import pandas as pd

    from marble_eval.results import Result
    from marble_eval.submission.submitted import Submitted


@dataclass(frozen=True)
class Claim:
    """What a result says of things that others have results of too.

    `references` is the digest of items, groups and references; empty if its predictions
    cannot be used.
    """

    submission: str
    file: str
    result: Result
    references: str
    sketch: Sketch | None = None


def claim_of(submission: str, submitted: Submitted, table: pd.DataFrame | None) -> Claim:
    """Say what a result claims."""
    references, sketch = "", None
    if table is not None:
        first = table[table["seed"] == table["seed"].iloc[0]]
        rows = first[["split", "id", "recording", "group", "reference"]].astype(str)
        references = digest_of(sorted(rows.itertuples(index=False, name=None)))
        sketch = sketch_of(table)
    return Claim(submission, submitted.file, submitted.result, references, sketch)


def disagreements(claims: Sequence[Claim], *, between: bool) -> list[Finding]:
    """Name the results that contradict each other."""
    found = []
    first: dict[Hashable, tuple[Claim, str]] = {}
    for each in claims:
        for about, rule, value in _claims(each.result, each.references):
            other, expected = first.setdefault(about, (each, value))
            if value != expected and (each.submission != other.submission) == between:
                where = f"{expected} as in {_name(other, between)}"
                found.append(Finding(_name(each, between), rule, value, where))
    return found + _copies(claims, between) + _scores(claims, between) + _names(claims, between)


def _copies(claims: Sequence[Claim], between: bool) -> list[Finding]:
    """Name the predictions that are those of another encoder, or as good as those."""
    found = []
    for at, each in enumerate(claims):
        for other in claims[:at]:
            if (each.submission != other.submission) != between:
                continue
            if said := _copied(each, other):
                rule = "predictions must be of one encoder alone"
                where = f"those of {shown(each.result.encoder.name)} alone"
                got = f"{said} as in {_name(other, between)}"
                found.append(Finding(_name(each, between), rule, got, where))
                break
    return found


def _copied(each: Claim, other: Claim) -> str:
    one, two = each.result, other.result
    if each.sketch is None or other.sketch is None or one.task.name != two.task.name:
        return ""
    if one.encoder.fingerprint == two.encoder.fingerprint:
        return ""
    nothing_found = not each.sketch.estimates and not each.sketch.outputs.size  # in frames, twice
    said = "" if nothing_found else likeness(each.sketch, other.sketch)
    # Of one encoder, another precision or a later step may come near; equal it never is.
    near = said != "all its rows"
    return "" if near and one.encoder.name == two.encoder.name else said


def _names(claims: Sequence[Claim], between: bool) -> list[Finding]:
    """Name the encoders and tasks whose names are not what they look like."""
    encoders = odd_encoders({each.result.encoder.name for each in claims})
    tasks = look_alikes({each.result.task.name for each in claims}, task_names())
    found = []
    for each in claims:
        for what, name, odd in (
            ("encoder", each.result.encoder.name, encoders),
            ("task", each.result.task.name, tasks),
        ):
            # Of several submissions, what shows in one alone is said of that.
            if name in odd and not (between and name in odd_encoders({name})):
                rule = f"{what}.name must not be taken for another; it {odd[name]}"
                found.append(Finding(_name(each, between), rule, shown(name), "a name of its own"))
    return found


def _claims(result: Result, references: str) -> Iterator[tuple[Hashable, str, str]]:
    """Yield what is spoken of, the rule, and what is said."""
    task, encoder = result.task, result.encoder
    name = f"{task.name}@{task.version}"
    missing = tuple(sorted(each.id for each in result.counts.missing))
    yield ("data", name, missing), f"{name} must be on one data digest", task.data_digest
    yield ("split", name), f"{name} must be on one split digest", task.split_digest
    if references:
        about = ("references", name, task.data_digest)
        yield about, f"{name} must have the same items and references on the same data", references
    weights = f"{encoder.name}, revision {encoder.revision}, in {encoder.precision}"
    yield ("encoder", weights), f"{weights} must have one fingerprint", encoder.fingerprint
    layers = f"{len(encoder.layers)} layers of width {encoder.width} at {encoder.frame_rate:g} Hz"
    yield ("layers", weights), f"{weights} must have one shape", layers


def _scores(claims: Sequence[Claim], between: bool) -> list[Finding]:
    """Name the runs of one fingerprint that scored differently."""
    found = []
    first: dict[str, Claim] = {}
    for each in claims:
        other = first.setdefault(each.result.unit, each)
        if other is each or (each.submission != other.submission) != between:
            continue
        for name, score in each.result.metrics.items():
            theirs = other.result.metrics.get(name)
            if theirs is None or not close(score.value, theirs.value):
                rule = (
                    f"metrics.{name} must be that of the other result of unit {other.result.unit}"
                )
                got = "none" if theirs is None else str(theirs.value)
                where = f"{got} as in {_name(other, between)}"
                found.append(Finding(_name(each, between), rule, str(score.value), where))
    return found


def _name(claim: Claim, between: bool) -> str:
    return printable(f"{claim.submission}/{claim.file}" if between else claim.file)
