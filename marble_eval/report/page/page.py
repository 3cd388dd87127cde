"""The report as one HTML file that needs nothing else.

The tables are in the file as text, so that they read without JavaScript; all else
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
from marble_eval.leaderboard import (
    PublishedScore,
    published_scores,
    read_found,
    without_copies,
)
from marble_eval.leaderboard.score_text import unit_suffix
from marble_eval.report.page.data import detail_blocks, index_block
from marble_eval.report.page.encoders_by_task import heat_maps
from marble_eval.report.page.listing import (
    listed_results,
    published_listing,
    shown_score,
    table_lines,
    versioned,
)
from marble_eval.results import Result

FIRST_ROWS = 200  # rows of the table that are drawn at once; the rest on demand
_SCRIPTS = (  # in their order in the page
    "elements", "packing", "data", "state", "score_text", "score_rows", "table", "filters",
    "encoders_by_task", "drawing", "provenance", "scores", "detail", "overview", "start",
)  # fmt: skip


class _Script(NamedTuple):
    """A script and the source expression that lets the page run it."""

    text: Markup
    source: str


def write_page(paths: Sequence[Path], file: Path, *, embedded: bool = False) -> None:
    """Write the report of result files."""
    if not file.parent.is_dir():
        raise MissingError(f"{file}: no such folder to write the page into. Make it first.")
    every = [each.result for each in without_copies(read_found(paths))]
    shown = [each for each in every if each.task.embedded == embedded]
    text = render(
        shown,
        published=() if embedded else published_scores(),
        embedded=embedded,
        left_out=len(every) - len(shown),
        made=datetime.now(UTC),
    )
    write_atomically(file, text.encode("utf-8", errors="replace"))


def render(
    results: Sequence[Result],
    *,
    published: Sequence[PublishedScore] = (),
    embedded: bool = False,
    left_out: int = 0,
    made: datetime,
) -> str:
    """Make the page of some results."""
    if any(each.task.embedded != embedded for each in results) or (embedded and published):
        raise ValueError("a page must show embedded data alone, or real data alone.")
    listed = listed_results(results, published)
    rows = published_listing(published, listed)
    blocks = detail_blocks(listed)
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
        published=published,
        rows=table_lines(listed, rows),
        first_rows=FIRST_ROWS,
        maps=heat_maps(listed, rows),
        index=index_block(
            listed, published, rows, chunks=blocks.starts, every_seed=blocks.every_seed
        ),
        blocks=blocks.texts,
        shown_score=shown_score,
        unit_suffix=unit_suffix,
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
    files = [*_by_name(vendor), folder / "score_text.js", folder / "charts.js", *_by_name(parts)]
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
