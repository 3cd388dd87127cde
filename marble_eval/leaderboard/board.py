"""A leaderboard: the long table, and sections that each have a wide one.

Equal inputs give equal tables: rows are sorted by content, columns are fixed. Each result is in one
section, and with every metric in the long table. A tree of submissions may hold a result several
times; copies count once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from marble_eval.leaderboard.comparable import (
    Scope,
    first_scope,
    reason_of,
    scope_order,
    scopes,
    title_of,
)
from marble_eval.leaderboard.csv_tables import wide_table
from marble_eval.leaderboard.marble_columns import MARBLE_COLUMNS
from marble_eval.leaderboard.models import (
    Model,
    model_of,
    refuse_rivals,
    refuse_two,
    reported_model,
)
from marble_eval.leaderboard.published import (
    OWN,
    PROTOCOL,
    odd_encoders,
    published_cells,
    published_scores,
    reported_rows,
    with_published,
)
from marble_eval.leaderboard.score_rows import COLUMNS, ScoreRow, result_rows
from marble_eval.leaderboard.sections import (
    FLAT,
    MARBLE,
    Claim,
    Section,
    own_columns,
    reported_columns,
    section_models,
    with_averages,
)
from marble_eval.names import one_line
from marble_eval.results import Found, read_result

_WHOLE = (
    *("task_version", "protocol_version", "n", "expected", "scored", "parameters", "step"),
    *("clips", "clips_encoded", "feature_bytes", "rank_low", "rank_high"),
)
_REAL = (
    *("setting", "value", "low", "high", "seed_spread", "extract_seconds", "train_seconds"),
    *("published", "first_chance"),
)
COPIES = "copies of another result"

Ranked = Callable[[Section], tuple[Section, list[str]]]


class Board(NamedTuple):
    """A leaderboard; the first section is what MARBLE's own board would show, and may be empty."""

    sections: tuple[Section, ...]
    embedded: bool
    left_out: Mapping[str, int]  # results that are in no section, by reason
    notes: tuple[str, ...] = ()  # on names and ranks

    @property
    def rows(self) -> list[ScoreRow]:
        """Return the rows of the long table, sorted by content."""
        rows = [row for part in self.sections for model in part.models for row in model.rows]
        return sorted(rows, key=_row_order)

    @property
    def long(self) -> pd.DataFrame:
        """Return the long table: one row for each metric of each result."""
        values = [dataclasses.astuple(row) for row in self.rows]
        table = pd.DataFrame(values, columns=list(COLUMNS))
        return table.astype(dict.fromkeys(_WHOLE, "Int64") | dict.fromkeys(_REAL, "float64"))

    @property
    def wide(self) -> pd.DataFrame:
        """Return the wide table of the first section: one row for each model."""
        return wide_table(self.sections[0])


def board(
    results: Iterable[Path], *, embedded: bool = False, ranked: Ranked | None = None
) -> Board:
    """Make a leaderboard from `result.json` files.

    It shows real data and published scores, or embedded data alone. `ranked` adds ranks to a
    section, as `ranked_section` does from the predictions. Raises ValidationError if a file is
    invalid or two claim one cell.
    """
    every = read_found(results)
    of_kind = [each for each in every if each.result.task.embedded == embedded]
    taken = without_copies(of_kind)
    left_out = {
        "real data" if embedded else "embedded data": len(every) - len(of_kind),
        COPIES: len(of_kind) - len(taken),
    }
    sections = _sections(taken, embedded)
    odd = odd_encoders({each.result.encoder.name for each in taken})
    notes = [f"the name of encoder {one_line(name)!r} {why}" for name, why in odd.items()]
    if ranked is not None:
        found = [ranked(each) for each in sections]
        sections = [section for section, _ in found]
        notes += [note for _, said in found for note in said]
    counted = {reason: count for reason, count in sorted(left_out.items()) if count}
    return Board(tuple(sections), embedded, counted, tuple(notes))


def read_found(paths: Iterable[Path]) -> list[Found]:
    """Read result files, sorted by path."""
    return [Found(path, read_result(path)) for path in sorted(set(paths))]


def without_copies(found: Iterable[Found]) -> list[Found]:
    """Keep the first of equal results: of one unit, encoder and revision, with the same scores.

    A unit identifies all that can move a score, but not the name of an encoder: the same weights
    under two names are two rows.
    """
    kept: dict[object, Found] = {}
    for each in found:
        result = each.result
        encoder, scores = result.encoder, tuple(result.metrics.items())
        kept.setdefault((result.unit, encoder.name, encoder.revision, scores), each)
    return list(kept.values())


def _sections(found: Sequence[Found], embedded: bool) -> list[Section]:
    """Make every section: the first, other runs, and papers with tables of their own."""
    first = first_scope()
    reported = () if embedded else published_scores()
    cells = published_cells(reported)
    sections, runs_of_first = [], list[ScoreRow]()
    for scope, held in _divided(found, first, embedded=embedded).items():
        claims = []
        for path, result in held:
            model = model_of(result, with_choices=not (scope.whole and scope.widest))
            for row in result_rows(result):
                completed = with_published(row, cells, in_first=scope == first)
                claims.append(Claim(model, completed, path))
        if scope == first:
            runs_of_first = [claim.row for claim in claims]
        by_column = scope.listed and not scope.edition and not embedded
        averages = (MARBLE, FLAT) if by_column else (FLAT,)
        columns = MARBLE_COLUMNS if by_column else own_columns(each.row for each in claims)
        sections.append(
            Section(
                title=title_of(scope, first, embedded=embedded),
                reason=reason_of(scope, first, embedded=embedded),
                comparable=scope.comparable,
                columns=columns,
                averages=averages if scope.comparable else (),
                models=section_models(claims, columns, by_column=by_column),
                results=tuple(held),
            )
        )
    return _completed(sections, reported_rows(reported, runs_of_first))


def _divided(
    found: Sequence[Found], first: Scope, *, embedded: bool
) -> Mapping[Scope, list[Found]]:
    """Divide results by scope, in the order of the board; the first is there even if empty.

    Raises ValidationError if two results claim one cell, two tasks one column, or one encoder and
    revision has two fingerprints.
    """
    divided: dict[Scope, list[Found]] = {first: []}
    together: dict[Scope, list[Found]] = {}
    for each, scope in zip(found, scopes(found, embedded=embedded), strict=True):
        divided.setdefault(scope, []).append(each)
        together.setdefault(scope._replace(widest=True), []).append(each)
    for scope, members in together.items():
        if scope.listed and not embedded:
            refuse_two(
                members,
                lambda result: result.task.column,
                lambda result: result.task.name,
                "one column of the leaderboard must belong to one task",
            )
        refuse_two(
            members,
            model_of,
            lambda result: result.encoder.fingerprint,
            "one encoder and revision must have one fingerprint",
        )
    for scope, members in divided.items():
        refuse_rivals(members, with_choices=not (scope.whole and scope.widest))
    return {
        scope: divided[scope]
        for scope in sorted(divided, key=lambda each: scope_order(each, first))
    }


def _completed(sections: list[Section], reported: list[ScoreRow]) -> list[Section]:
    """Add published scores: MARBLE's rows to the first section, others in their own."""
    tables: dict[tuple[str, str, str], list[Claim]] = {}
    for row in reported:
        claim = Claim(reported_model(row), row, None)
        tables.setdefault((row.protocol, row.track, row.reference), []).append(claim)
    for (protocol, track, source), claims in tables.items():
        if (protocol, track) == (PROTOCOL, "constrained"):
            own = section_models(claims, sections[0].columns, by_column=True)
            models = sorted((*sections[0].models, *own), key=lambda each: _model_order(each.model))
            sections[0] = dataclasses.replace(sections[0], models=tuple(models))
        else:
            sections.append(_reported_section(protocol, track, source, claims))
    return [_titled(with_averages(each)) for each in sections]


def _reported_section(protocol: str, track: str, source: str, claims: list[Claim]) -> Section:
    columns = reported_columns(claim.row for claim in claims)
    whole = len(columns) == len(MARBLE_COLUMNS)
    whose = "its own protocol" if protocol == OWN else f"{protocol} protocols"
    return Section(
        title=", ".join(each for each in (f"Reported by {source}", track, whose) if each),
        reason=f"Separate because a paper reports it under {whose}; nothing here was run.",
        comparable=True,
        columns=columns,
        averages=(MARBLE, FLAT) if whole else (FLAT,),
        models=section_models(claims, columns, by_column=True),
    )


def _titled(section: Section) -> Section:
    """Write the title of the section into its rows."""
    models = []
    for each in section.models:
        named = {id(row): dataclasses.replace(row, section=section.title) for row in each.rows}
        scores = {header: named[id(row)] for header, row in each.scores.items()}
        models.append(dataclasses.replace(each, rows=tuple(named.values()), scores=scores))
    return dataclasses.replace(section, models=tuple(models))


def _model_order(model: Model) -> tuple[str, ...]:
    return (model.encoder.casefold(), *model)


def _row_order(row: ScoreRow) -> tuple[str, ...]:
    cells = dataclasses.astuple(row)
    return (str(cells[0]).casefold(), *map(str, cells))
