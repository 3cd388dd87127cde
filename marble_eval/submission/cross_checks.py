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
from marble_eval.submission.choice import close
from marble_eval.submission.findings import Finding, printable

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


def claim_of(submission: str, submitted: Submitted, table: pd.DataFrame | None) -> Claim:
    """Say what a result claims."""
    references = ""
    if table is not None:
        first = table[table["seed"] == table["seed"].iloc[0]]
        rows = first[["split", "id", "recording", "group", "reference"]].astype(str)
        references = digest_of(sorted(rows.itertuples(index=False, name=None)))
    return Claim(submission, submitted.file, submitted.result, references)


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
    return found + _scores(claims, between)


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
    if result.predictions is not None and result.protocol.frames is None:
        # Of frames there may be nothing found at all, twice; outputs are never the same.
        about = ("predictions", result.predictions.sha256, "")
        yield about, "predictions must be of one encoder alone", encoder.fingerprint
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
