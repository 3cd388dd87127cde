"""What a reader of scores must know besides, as sentences: each function says it of one result.

Departures from the protocol, tracks that are missing, data the weights have seen, terms
of licences, and where it ran. Every text can stand alone or after "For GTZAN,".
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from marble_eval.report.paper.facets import listed

if TYPE_CHECKING:
    from marble_eval.results import Result

_NON_COMMERCIAL = re.compile(r"\bnc\b|non-?commercial", re.IGNORECASE)
_NAMED = 5  # missing tracks named for one reason; more are counted, the records name them


def deviations(result: Result) -> str:
    """Say every way in which a run departed from its protocol."""
    found = result.protocol.deviations
    return f"the run departed from its protocol: {'; '.join(found)}" if found else ""


def missing(result: Result) -> str:
    """Say which tracks of any split could not be used, and why."""
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
    """Repeat what the record wants a reader to know."""
    return f"the record remarks: {'; '.join(result.remarks)}" if result.remarks else ""


def overlap(result: Result) -> str:
    """Say what of the data the weights are known to have seen."""
    if not result.encoder.overlap:
        return ""
    return f"the weights may have seen data of the task: {result.encoder.overlap}"


def terms_of_weights(result: Result) -> str:
    """Say that scores inherit the terms of the weights, where those exclude commerce."""
    return _terms("weights", result.encoder.licence)


def terms_of_data(result: Result) -> str:
    """Say that scores inherit the terms of the data, where those exclude commerce."""
    return _terms("data", result.task.licence)


def _terms(what: str, licence: str) -> str:
    if not _NON_COMMERCIAL.search(licence):
        return ""
    return f"the licence of the {what} ({licence}) excludes commercial use, and scores inherit it"


def environment(result: Result) -> str:
    """Say where a run was made."""
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
