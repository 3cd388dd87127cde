"""The report as one HTML file that needs nothing else.

The tables stand in the file as text, so that they read without JavaScript; all else
is packed data that the page's own scripts unpack and draw on demand. A content
security policy inside the page forbids every request and every script but these.
Names reach the page escaped (Jinja2's autoescape) or packed, and its scripts put them
in as text alone, so that none can become markup.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple

import jinja2
from markupsafe import Markup

from marble_eval import __version__
from marble_eval.errors import MissingError
from marble_eval.files.atomic_file import write_atomically
from marble_eval.leaderboard import PublishedScore, published_scores
from marble_eval.leaderboard.entries import read_entries, without_copies
from marble_eval.report.page.details import detail_blocks
from marble_eval.report.page.entries import entries, reported_rows
from marble_eval.report.page.heatmap import heat_maps
from marble_eval.report.page.index import index_block
from marble_eval.report.page.rows import (
    shown_interval,
    shown_score,
    shown_unit,
    table_rows,
    versioned,
)
from marble_eval.results import Result

FIRST_ROWS = 200  # rows of the table that are drawn at once; the rest on demand
_SCRIPTS = (  # in the order in which they stand in the page
    "elements", "columns", "data", "state", "rows", "table", "filters", "heatmap",
    "drawing", "provenance", "scores", "detail", "overview", "start",
)  # fmt: skip


class _Script(NamedTuple):
    """A script and the source expression that lets the page run it."""

    text: Markup
    source: str


def write_page(paths: Sequence[Path], file: Path, *, embedded: bool = False) -> None:
    """Write the report of result files.

    Parameters
    ----------
    paths : sequence of Path
        The `result.json` files; those on the other kind of data are counted on
        the page and not shown.
    file : Path
        The HTML file; its folder must exist.
    embedded : bool
        True for results on embedded data alone; False for results on real data and
        what papers report.

    Raises
    ------
    MissingError
        If a result or the folder of ``file`` does not exist.
    ValidationError
        If a result is invalid.
    """
    if not file.parent.is_dir():
        raise MissingError(f"{file}: no such folder to write the page into. Make it first.")
    every = [each.result for each in without_copies(read_entries(paths))]
    shown = [each for each in every if each.task.embedded == embedded]
    text = render(
        shown,
        reported=() if embedded else published_scores(),
        embedded=embedded,
        left_out=len(every) - len(shown),
        made=datetime.now(UTC),
    )
    write_atomically(file, text.encode("utf-8", errors="replace"))


def render(
    results: Sequence[Result],
    *,
    reported: Sequence[PublishedScore] = (),
    embedded: bool = False,
    left_out: int = 0,
    made: datetime,
) -> str:
    """Make the page of some results.

    Parameters
    ----------
    results : sequence of Result
        What runs found, all on embedded data or all on real data.
    reported : sequence of PublishedScore
        What papers say; none beside embedded data.
    embedded : bool
        Which of the two.
    left_out : int
        Results that are not on the page, being on the other kind of data.
    made : datetime
        When, in UTC.

    Returns
    -------
    str
        HTML; the same for the same content.

    Raises
    ------
    ValueError
        If results on embedded and on real data, or embedded ones and published
        scores, would stand on one page.
    """
    if any(each.task.embedded != embedded for each in results) or (embedded and reported):
        raise ValueError("a page must show embedded data alone, or real data alone.")
    shown = entries(results, reported)
    rows_reported = reported_rows(reported, shown)
    blocks = detail_blocks(shown)
    folder = resources.files("marble_eval.report.page")
    scripts = {name: _script(text) for name, text in _page_scripts(folder).items()}
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(_read(folder / "page.html"))
    return template.render(
        scripts=scripts,
        charts=_packed(_charts(folder)),
        policy=_policy([each.source for each in scripts.values()], _charts(folder)),
        style=Markup(_read(folder / "page.css")),
        licences=_licences(folder),
        made=made,
        version=__version__,
        embedded=embedded,
        left_out=left_out,
        results=results,
        encoders={each.encoder.name for each in results},
        tasks={each.task.name for each in results},
        harnesses=sorted({each.tool_version for each in results}),
        reported=reported,
        rows=table_rows(shown, rows_reported),
        first_rows=FIRST_ROWS,
        maps=heat_maps(shown, rows_reported),
        index=index_block(
            shown, reported, rows_reported, chunks=blocks.starts, every_seed=blocks.every_seed
        ),
        blocks=blocks.texts,
        shown_score=shown_score,
        shown_interval=shown_interval,
        shown_unit=shown_unit,
        versioned=versioned,
    )


def _read(file: Traversable) -> str:
    return file.read_text(encoding="utf-8").replace("\r\n", "\n")


def _page_scripts(folder: Traversable) -> dict[str, str]:
    """Put the parts of the page's script into one function, so that they share no global."""
    parts = "\n".join(_read(folder / f"{name}.js") for name in _SCRIPTS)
    whole = f'(() => {{\n"use strict";\n{parts}\n}})();\n'
    return {"theme": _read(folder / "theme.js"), "page": whole}


def _script(text: str) -> _Script:
    # What would end the element, or let an older comment swallow it; both mean the same in
    # JavaScript with a backslash, inside a string, a template or a regular expression.
    safe = text.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    return _Script(Markup(safe), _source(safe))


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _charts(folder: Traversable) -> str:
    """Read the drawing of charts and the library below it, which the page runs when needed."""
    vendor = [each for each in (folder / "vendor").iterdir() if each.name.endswith(".js")]
    parts = [each for each in folder.iterdir() if re.fullmatch(r"charts_\w+\.js", each.name)]
    files = [*_by_name(vendor), folder / "charts.js", *_by_name(parts)]
    return "\n".join(map(_read, files))


def _by_name(files: Iterable[Traversable]) -> list[Traversable]:
    return sorted(files, key=lambda each: each.name)


def _licences(folder: Traversable) -> list[str]:
    files = [each for each in (folder / "vendor").iterdir() if each.name.startswith("LICENSE")]
    return [_read(each) for each in _by_name(files)]


def _packed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode("utf-8"), 9, mtime=0)).decode("ascii")


def _policy(sources: Sequence[str], charts: str) -> str:
    """Forbid everything but the page's own scripts, styles and drawn images.

    Styles are inline, since the drawing library sets them on what it draws.
    """
    scripts = " ".join([*sources, _source(charts)])
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
