"""A leaderboard: the long table, and sections that each have a wide one.

Same inputs, same tables: rows are sorted by their content and columns are fixed. Each
result stands in one section, and with every metric in the long table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from marble_eval.leaderboard.entries import Entry, read_entries, without_copies
from marble_eval.leaderboard.models import Model, model_of, reported_model
from marble_eval.leaderboard.places import first_place, placed, reason_of, title_of
from marble_eval.leaderboard.published import OWN, PROTOCOL, published_cells, published_scores
from marble_eval.leaderboard.reproduction import reported_rows, with_published
from marble_eval.leaderboard.rows import COLUMNS, Row, result_rows
from marble_eval.leaderboard.sections import (
    FLAT,
    MARBLE,
    Claim,
    Section,
    marble_columns,
    own_columns,
    reported_columns,
    section_models,
    with_averages,
)
from marble_eval.leaderboard.wide import wide_table

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
    """A leaderboard.

    Attributes
    ----------
    sections : tuple of Section
        The first is what MARBLE's own board would show, or, of embedded results, all
        tasks under MARBLE's protocol; it may be empty.
    embedded : bool
        Whether it is of embedded data.
    left_out : mapping of str to int
        Results that stand in no section, by reason: those on the other kind of data, and
        copies.
    notes : tuple of str
        What a reader should know of the ranks.
    """

    sections: tuple[Section, ...]
    embedded: bool
    left_out: Mapping[str, int]
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> list[Row]:
        """Return the rows of the long table, sorted by content."""
        rows = [row for part in self.sections for model in part.models for row in model.rows]
        return sorted(rows, key=_place)

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
    """Make a leaderboard from result files.

    Parameters
    ----------
    results : iterable of Path
        The `result.json` files.
    embedded : bool
        True for results on embedded data alone; False for results on real data
        and what papers report.
    ranked : callable, optional
        Adds ranks to a section, as `marble_eval.leaderboard.standings.ranked_section` does;
        it needs the predictions.

    Returns
    -------
    Board
        Its sections.

    Raises
    ------
    MissingError
        If a file does not exist.
    ValidationError
        If a file is invalid, or two claim one cell.

    Examples
    --------
    >>> reported = board([]).wide.set_index("encoder")
    >>> reported.loc["MERT-v1-95M", ["GTZAN", "average"]].tolist()
    [74.8, 63.2589]
    """
    every = read_entries(results)
    of_kind = [each for each in every if each.result.task.embedded == embedded]
    taken = without_copies(of_kind)
    left_out = {
        "real data" if embedded else "embedded data": len(every) - len(of_kind),
        COPIES: len(of_kind) - len(taken),
    }
    sections = _sections(taken, embedded)
    notes: list[str] = []
    if ranked is not None:
        found = [ranked(each) for each in sections]
        sections = [section for section, _ in found]
        notes = [note for _, said in found for note in said]
    counted = {reason: count for reason, count in sorted(left_out.items()) if count}
    return Board(tuple(sections), embedded, counted, tuple(notes))


def _sections(entries: list[Entry], embedded: bool) -> list[Section]:
    """Make every section: the first, other runs, and papers with tables of their own."""
    first = first_place(entries)
    reported = () if embedded else published_scores()
    cells = published_cells(reported)
    sections, runs_of_first = [], list[Row]()
    for place, held in placed(entries, embedded=embedded).items():
        claims = []
        for entry in held:
            model = model_of(entry.result, with_choices=not (place.whole and place.widest))
            for row in result_rows(entry.result):
                beside = with_published(row, cells, first=place == first)
                claims.append(Claim(model, beside, entry.path))
        if place == first:
            runs_of_first = [claim.row for claim in claims]
        by_column = place.listed and not place.edition and not embedded
        averages = (MARBLE, FLAT) if by_column else (FLAT,)
        columns = marble_columns() if by_column else own_columns(each.row for each in claims)
        sections.append(
            Section(
                title=title_of(place, first, embedded=embedded),
                reason=reason_of(place, first, embedded=embedded),
                comparable=place.comparable,
                columns=columns,
                averages=averages if place.comparable else (),
                models=section_models(claims, columns, by_column=by_column),
                entries=tuple(held),
            )
        )
    return _completed(sections, reported_rows(reported, runs_of_first))


def _completed(sections: list[Section], reported: list[Row]) -> list[Section]:
    """Add what papers report: MARBLE's rows to the first section, others in their own."""
    tables: dict[tuple[str, str, str], list[Claim]] = {}
    for row in reported:
        claim = Claim(reported_model(row), row, None)
        tables.setdefault((row.protocol, row.track, row.reference), []).append(claim)
    for (protocol, track, source), claims in tables.items():
        if (protocol, track) == (PROTOCOL, "constrained"):
            own = section_models(claims, sections[0].columns, by_column=True)
            models = sorted((*sections[0].models, *own), key=lambda each: _name(each.model))
            sections[0] = dataclasses.replace(sections[0], models=tuple(models))
        else:
            sections.append(_reported_section(protocol, track, source, claims))
    return [_titled(with_averages(each)) for each in sections]


def _reported_section(protocol: str, track: str, source: str, claims: list[Claim]) -> Section:
    columns = reported_columns(claim.row for claim in claims)
    whole = len(columns) == len(marble_columns())
    whose = "its own protocol" if protocol == OWN else f"{protocol} protocols"
    return Section(
        title=", ".join(each for each in (f"Reported by {source}", track, whose) if each),
        reason=f"Stands apart because a paper reports it under {whose}; nothing here was run.",
        comparable=True,
        columns=columns,
        averages=(MARBLE, FLAT) if whole else (FLAT,),
        models=section_models(claims, columns, by_column=True),
    )


def _titled(section: Section) -> Section:
    """Name the section in each of its rows."""
    models = []
    for each in section.models:
        named = {id(row): dataclasses.replace(row, section=section.title) for row in each.rows}
        scores = {header: named[id(row)] for header, row in each.scores.items()}
        models.append(dataclasses.replace(each, rows=tuple(named.values()), scores=scores))
    return dataclasses.replace(section, models=tuple(models))


def _name(model: Model) -> tuple[str, ...]:
    return (model.encoder.casefold(), *model)


def _place(row: Row) -> tuple[str, ...]:
    cells = dataclasses.astuple(row)
    return (str(cells[0]).casefold(), *map(str, cells))
