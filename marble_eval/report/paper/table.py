"""The table of a paper: encoders down, main metrics across, intervals below the scores.

What may stand in one table, which run is best and which are tied with it, the leaderboard
decides; here its columns are chosen and its caption says what was run. The LaTeX needs
the package booktabs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from marble_eval.errors import MissingError, SpecError
from marble_eval.leaderboard import board, latex_text, ranked_section
from marble_eval.leaderboard.latex import latex_cell, latex_table
from marble_eval.leaderboard.printed import legend_lines, printed_table
from marble_eval.leaderboard.score_text import interval_text
from marble_eval.leaderboard.sections import MARBLE
from marble_eval.report.paper.run_sentences import listed
from marble_eval.results import read_result

if TYPE_CHECKING:
    from marble_eval.leaderboard import ModelScores, ScoreRow, Section
    from marble_eval.leaderboard.printed import PrintedRow, PrintedTable

_IN_WORDS, _LONG = ("deviations", "choices"), "p{4cm}"  # labels that may be sentences
_MARKS = {"best": "Bold", "tied": r"$^{\dagger}$", "reproduced": r"$^{\mathrm{r}}$"}


def paper_table(paths: Iterable[Path]) -> str:
    r"""Write results as LaTeX tables."""
    files = sorted(set(paths))
    results = [read_result(path) for path in files]
    levels = sorted({score.level for each in results for score in each.metrics.values()})
    level = listed([f"{100 * each:g} %" for each in levels] or [""])
    written = {name: each.written for result in results for name, each in result.metrics.items()}
    parts = []
    for embedded in (False, True):
        of_kind = [
            path
            for path, each in zip(files, results, strict=True)
            if each.task.embedded == embedded
        ]
        made = board(of_kind, embedded=embedded) if of_kind else None
        for section in made.sections if made else ():
            chosen = _chosen(section)
            if chosen.models:
                parts.append(_table(*_ranked(chosen), level, written))
        if made and made.left_out:
            said = [f"{count} {reason}" for reason, count in made.left_out.items()]
            parts.append(_comment(f"Left out: {', '.join(said)}."))
    head = r"% Needs \usepackage{booktabs} and \usepackage[T1]{fontenc}."
    return "\n\n".join([head, *parts]) + "\n" if parts else ""


def _chosen(section: Section) -> Section:
    """Keep the columns in which a run has a score: MARBLE's, or a task's main metric."""
    runs = [each for each in section.models if each.model.source == "run"]
    scored = {header for each in runs for header in each.scores}
    of_marble = MARBLE in section.averages
    columns = tuple(c for c in section.columns if c.header in scored and (c.main or of_marble))
    kept = {column.header for column in columns}
    averages = (MARBLE,) if any(MARBLE in each.averages for each in runs) else ()
    reported = [
        each
        for each in section.models
        if each.model.source != "run" and runs and kept & set(each.scores)
    ]
    return dataclasses.replace(
        section, columns=columns, averages=averages, models=(*runs, *reported)
    )


def _ranked(section: Section) -> tuple[Section, list[str]]:
    """Find the runs that are tied with the best, where their predictions are there."""
    try:
        ranked, notes = ranked_section(section)
    except MissingError:
        return section, ["Ties were not tested: predictions are not beside every result."]
    except SpecError as error:
        return section, [f"Ties were not tested: {error}"]
    # A paper's source goes out into the world; where results lie at home does not.
    for each in section.models:
        for header, path in each.paths.items():
            notes = [note.replace(str(path), f"{each.model.encoder}, {header}") for note in notes]
    return ranked, notes


def _table(section: Section, notes: Sequence[str], level: str, written: Mapping[str, str]) -> str:
    shown = printed_table(section)
    labels = _labels(shown)
    lines: dict[bool, list[str]] = {False: [], True: []}
    ordered = sorted(section.models, key=lambda each: each.model.source != "run")
    for row, scores in zip(shown.rows, ordered, strict=True):
        lines[row.reported] += _lines(row, scores, labels, shown.names)
    columns = "".join(_LONG if shown.labels[at] in _IN_WORDS else "l" for at in labels)
    width = len(labels) + len(shown.headers)
    if lines[True]:
        said = f"\\multicolumn{{{width}}}{{l}}{{\\emph{{Reported, not run here}}}} \\\\"
        lines[True] = ["\\midrule", said, *lines[True]]
    table = latex_table(
        _caption(section, shown, level),
        f"{columns}{'c' * len(shown.headers)}",
        _head(shown, labels, written),
        [*lines[False], *lines[True]],
        size="footnotesize",
        gap="3pt",
    )
    return "\n".join([*(_comment(each) for each in notes), table])


def _labels(shown: PrintedTable) -> list[int]:
    """Choose the labels: reported rows have a rule of their own, and names that differ suffice."""
    encoders = [row.labels[0] for row in shown.rows if not row.reported]
    left_out = {"source"} | ({"revision"} if len(set(encoders)) == len(encoders) else set())
    return [at for at, name in enumerate(shown.labels) if name not in left_out]


def _comment(text: str) -> str:
    return f"% {' '.join(text.split())}"


def _head(shown: PrintedTable, labels: Sequence[int], written: Mapping[str, str]) -> list[str]:
    """Write the tasks, and their metrics below them."""
    split = [header.partition(" ") for header in shown.headers]
    above = [""] * len(labels)
    for task, group in groupby(split, key=lambda each: each[0]):
        columns = len(list(group))
        above.append(f"\\multicolumn{{{columns}}}{{c}}{{{latex_text(task)}}}")
    below = [latex_text(shown.labels[at].replace("_", " ")) for at in labels]
    below += [latex_text(written.get(each, each)).replace("²", "$^2$") for _, _, each in split]
    return [f"{' & '.join(line)} \\\\" for line in (above, below)]


def _lines(
    row: PrintedRow, scores: ModelScores, labels: Sequence[int], names: Sequence[str]
) -> list[str]:
    """Write a model, and its intervals on a line of their own."""
    cells = [
        *(latex_text(row.labels[at]) for at in labels),
        *(latex_cell(each, _MARKS) for each in row.cells),
    ]
    below = [_interval(scores.scores.get(name)) for name in names]
    lines = [f"{' & '.join(cells)} \\\\"]
    if any(below):
        lines.append(f"{' & '.join(['', *[''] * (len(labels) - 1), *below])} \\\\[2pt]")
    return lines


def _interval(row: ScoreRow | None) -> str:
    if row is None or row.low is None or row.high is None:
        return ""
    text = interval_text(row.low, row.high, row.unit).replace("-", "$-$")
    return f"{{\\tiny {text}}}"


def _caption(section: Section, shown: PrintedTable, level: str) -> str:
    """Say the rules, how many items, what is below the scores, and what the marks mean."""
    runs = [each for each in section.models if each.model.source == "run"]
    said = [latex_text(each) for each in (f"{section.title}.", section.reason)]
    if any("true" in (row.embedded for row in each.rows) for each in runs):
        said.append("All data are embedded: music composed and rendered by marble-eval.")
    said.append(latex_text(f"Test tracks scored: {_items(section, runs)}."))
    said.append(latex_text(f"Below each score: its interval ({level}), resampling the tracks."))
    said += legend_lines(section, shown, _MARKS, latex_text)
    sources = {
        each.scores[name].reference
        for each in section.models
        if each.model.source != "run"
        for name in shown.names
        if name in each.scores
    }
    if sources:
        said.append(latex_text(f"Reported by: {'; '.join(sorted(sources))}."))
    return " ".join(said)


def _items(section: Section, runs: Sequence[ModelScores]) -> str:
    """Say on how many items each column was scored."""
    told: dict[str, str] = {}
    for column in section.columns:
        rows = [each.scores[column.header] for each in runs if column.header in each.scores]
        counts = sorted({row.n for row in rows if row.n is not None})
        number = "–".join(str(each) for each in dict.fromkeys((counts[0], counts[-1])))
        told.setdefault(column.task, f"{column.task} {number}")
    return ", ".join(told.values())
