"""`marble-eval report`: a page, figures, and what a paper needs, from result files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from marble_eval.cli.arguments import Arguments, output_file
from marble_eval.errors import MissingError, SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

HELP = """\
marble-eval report: a page, figures and a paper's table, bibliography and protocol paragraph

usage: marble-eval report [FOLDER ...] [--html [FILE]] [--figures [FOLDER]]
                          [--latex [FILE]] [--bib [FILE]] [--text [FILE]] [--embedded]

  FOLDER              results to report (default: results)
  --html [FILE]       one page that needs no server and no network (default report.html)
  --figures [FOLDER]  PNG and SVG figures (default figures)
  --latex [FILE]      the table and the paragraph in LaTeX (default report.tex)
  --bib [FILE]        BibTeX of the harness, the encoders and the data sets (default report.bib)
  --text [FILE]       the paragraph that states the protocol as run (default report.txt)
  --embedded          only results on embedded data; they never stand beside real ones

examples:
  marble-eval report --html
  marble-eval report results/MERT-v1-95M --latex table.tex --bib references.bib
"""

_FORMS = {
    "html": "report.html",
    "figures": "figures",
    "latex": "report.tex",
    "bib": "report.bib",
    "text": "report.txt",
}


def main(argv: list[str]) -> int:
    """Write reports."""
    parser = Arguments("report")
    parser.add_argument("folders", nargs="*", type=Path)
    for form, default in _FORMS.items():
        parser.add_argument(f"--{form}", nargs="?", type=Path, const=Path(default))
    parser.add_argument("--embedded", action="store_true")
    options = parser.parse_args(argv)
    wanted = {form: getattr(options, form) for form in _FORMS if getattr(options, form) is not None}
    if not wanted:
        raise SpecError(
            "marble-eval report: must be given at least one of "
            f"{', '.join(f'--{form}' for form in _FORMS)}. See marble-eval report --help."
        )
    for form, place in wanted.items():
        if form != "figures":  # which are a folder
            output_file("report", f"--{form}", place)
    paths = _results(options.folders or [Path("results")], embedded=options.embedded)
    for form, place in wanted.items():
        for written in _write(form, paths, place, embedded=options.embedded):
            sys.stdout.write(f"{written}\n")
    return 0


def _results(folders: Sequence[Path], *, embedded: bool) -> list[Path]:
    """Find the results of one sort of data; the others are counted, not passed over unseen."""
    from marble_eval.results import results_below

    found = {each.path: each.result for folder in folders for each in results_below(folder)}
    taken = [path for path, result in found.items() if result.task.embedded == embedded]
    other = "real data" if embedded else "embedded data"
    if len(taken) < len(found):
        sys.stderr.write(f"{len(found) - len(taken)} results left out: {other}\n")
    if not taken:
        raise MissingError(
            f"marble-eval report: no result on {'embedded' if embedded else 'real'} data in "
            f"{', '.join(map(str, folders))}, but {len(found)} on {other}. "
            f"{'Leave out' if embedded else 'Add'} --embedded."
        )
    return taken


def _write(form: str, paths: list[Path], place: Path, *, embedded: bool) -> list[Path]:
    from marble_eval.files.atomic_file import write_atomically

    if form == "html":
        from marble_eval.report.page import write_page

        write_page(paths, place, embedded=embedded)
        return [place]
    if form == "figures":
        from marble_eval.report.figures import write_figures

        return write_figures(paths, place)
    write_atomically(place, _paper(form, paths).encode("utf-8"))
    return [place]


def _paper(form: str, paths: list[Path]) -> str:
    from marble_eval.report import paper
    from marble_eval.results import read_result

    if form == "latex":
        return f"{paper.paper_table(paths)}\n{paper.statement(paths, latex=True)}\n"
    if form == "text":
        return paper.statement(paths) + "\n"
    found = paper.collect([read_result(path) for path in paths])
    for remark in found.remarks:
        sys.stderr.write(f"{remark}\n")
    return found.text()
