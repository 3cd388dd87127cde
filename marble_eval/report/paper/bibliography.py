"""BibTeX of what results build on: harness, benchmark, encoders, data sets, metrics.

Papers of encoders come from `encoders.bib`, matched by the arXiv number or DOI that an
encoder's citation names; papers of data sets from the tasks' cards. Nothing is invented:
a citation that names neither is given as it is, and what cannot be cited is named in a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from marble_eval.kinds import KINDS, load_kind
from marble_eval.leaderboard import published_scores
from marble_eval.names import one_line
from marble_eval.registry import TaskFolder, task_folders
from marble_eval.report.paper.bibtex import BibEntry, bibtex_text, parse_entries, spelt_out
from marble_eval.results import Result, read_result

_ARXIV = re.compile(r"(?<![\d.])\d{4}\.\d{4,5}(?!\d)")
_DOI = re.compile(r"10\.\d{4,9}/[^\s,;()]*[^\s,;().]")
_NO_CITATION = frozenset({"", "none", "not stated", "unknown"})
_OURS = "this package"


class Bibliography(NamedTuple):
    """Entries sorted by key, and remarks on what has none or a changed key."""

    entries: tuple[BibEntry, ...]  # sorted by key; no key twice, in whatever case
    remarks: tuple[str, ...]  # what has no entry, and which key was changed

    def text(self) -> str:
        """Return a BibTeX file: the remarks as comments, then the entries."""
        # To BibTeX a comment is any text without the sign that begins an entry.
        comments = [f"% {one_line(each).replace('@', ' at ')}" for each in self.remarks]
        entries = [each.text() for each in self.entries]
        return "\n\n".join(["\n".join(comments)] * bool(comments) + entries) + "\n"


def bibliography(paths: Iterable[Path]) -> str:
    """Collect what to cite for results."""
    return collect([read_result(path) for path in sorted(set(paths))]).text()


def collect(results: Sequence[Result]) -> Bibliography:
    """Collect the entries for results, and what has none."""
    methods = {each.key: each for each in shipped_entries("methods.bib")}
    keys = dict.fromkeys(filter(None, _method_keys(results)))
    parts = [(methods[key], "") for key in keys if key in methods]
    parts[0] = (_with_versions(methods["marbleeval"], results), "")
    remarks: list[str] = []
    for key in [each for each in keys if each not in methods]:  # of a task's own metrics
        found, remark = _parsed(key, "the citation of a metric")
        parts += [(each, "of a metric") for each in found]
        remarks += remark
    for name, citation in sorted({(r.encoder.name, r.encoder.citation) for r in results}):
        found, remark = _encoder_entries(name, citation)
        parts += [(each, f"of encoder {name}") for each in found]
        remarks += remark
    for name, citation in sorted({(r.probe.name, r.probe.citation) for r in results}):
        found, remark = _probe_entries(name, citation, methods)
        parts += [(each, f"of probe {name}") for each in found]
        remarks += remark
    folders = task_folders() if results else {}
    for task, embedded in sorted({(r.task.name, r.task.embedded) for r in results}):
        found, remark = _data_entries(task, folders.get(task), embedded=embedded)
        parts += [(each, f"of task {task}") for each in found]
        remarks += remark
    parts += [(each, "of reported scores") for each in _reported_entries(results)]
    entries, changed = _merged(parts)
    return Bibliography(
        tuple(sorted(entries, key=lambda each: each.key.casefold())), (*remarks, *changed)
    )


def shipped_entries(name: str) -> list[BibEntry]:
    """Read a bibliography that ships with the package."""
    file = resources.files("marble_eval.report.paper") / name
    return parse_entries(file.read_text(encoding="utf-8"))


def _method_keys(results: Sequence[Result]) -> Iterator[str]:
    yield from ("marbleeval", "yuan2023marble")
    for each in results:
        yield from (score.citation for score in each.metrics.values())
        if each.task.kind in KINDS:
            yield from load_kind(each.task.kind).citations_of(each.protocol.frames)


def _with_versions(entry: BibEntry, results: Sequence[Result]) -> BibEntry:
    versions = sorted({each.tool_version for each in results})
    if not versions:
        return entry
    note = f"Version{'s' * (len(versions) > 1)} {bibtex_text(', '.join(versions))}"
    return entry._replace(fields=(*entry.fields, ("note", f"{{{note}}}")))


def _encoder_entries(name: str, citation: str) -> tuple[list[BibEntry], list[str]]:
    """Find the papers that an encoder's citation names."""
    if citation.strip().casefold() in _NO_CITATION:
        return [], [f"encoder {name}: states no citation; cite its source yourself."]
    if citation.strip().casefold() == _OURS:
        return [], []
    if citation.lstrip().startswith("@"):
        return _parsed(citation, f"the citation of encoder {name}")
    known = shipped_entries("encoders.bib") + shipped_entries("methods.bib")
    named = [*_ARXIV.findall(_DOI.sub(" ", citation)), *_DOI.findall(citation)]
    found = [next((e for e in known if each.casefold() in _identifiers(e)), None) for each in named]
    entries = [each for each in found if each is not None]
    if named and len(entries) == len(named):
        return entries, []
    key = "encoder-" + (re.sub(r"[^A-Za-z0-9.-]+", "-", spelt_out(name)).strip("-") or "unnamed")
    fields = (
        ("title", f"{{{{{bibtex_text(name)}}}}}"),
        ("note", f"{{{bibtex_text(' '.join(citation.split()))}}}"),
    )
    remark = f"encoder {name}: its citation is given as it states it; complete the entry {key}."
    return [*entries, BibEntry("misc", key, fields)], [remark]


def _identifiers(entry: BibEntry) -> set[str]:
    return {entry.value(name).casefold() for name in ("eprint", "doi")} - {""}


def _probe_entries(
    name: str, citation: str, methods: Mapping[str, BibEntry]
) -> tuple[list[BibEntry], list[str]]:
    """Find the paper of a probe: a key of `methods.bib`, or BibTeX that its package brings."""
    if citation in methods:
        return [methods[citation]], []
    if citation.lstrip().startswith("@"):
        return _parsed(citation, f"the citation of probe {name}")
    return [], [f"probe {name}: its citation is no BibTeX; cite it yourself."] * bool(citation)


def _data_entries(
    task: str, found: TaskFolder | None, *, embedded: bool
) -> tuple[list[BibEntry], list[str]]:
    """Read the citation of a task's data from its card."""
    if found is None:
        return [], [f"task {task}: not installed here, so its card could not be read; cite its "
                    f"data yourself, or install the package that brings it."]  # fmt: skip
    if found.spec.citation.strip():
        return _parsed(found.spec.citation, f"the citation in the card of task {task}")
    if embedded:
        return [], [f"task {task}: its music is composed and rendered by marble-eval; "
                    f"cite marbleeval for it."]  # fmt: skip
    return [], [f"task {task}: its card has no citation; cite its data yourself."]


def _parsed(text: str, subject: str) -> tuple[list[BibEntry], list[str]]:
    try:
        entries = parse_entries(text)
    except ValueError as error:
        return [], [f"{subject} is left out, it cannot be read: {error}"]
    return entries, [] if entries else [f"{subject} is left out: it holds no entry of BibTeX."]


def _reported_entries(results: Sequence[Result]) -> list[BibEntry]:
    """Find the papers whose reported scores are shown with results on real data."""
    columns = {each.task.column for each in results if not each.task.embedded}
    sources = sorted({each.source for each in published_scores() if each.task in columns})
    known = shipped_entries("encoders.bib") + shipped_entries("methods.bib")
    numbers = {number for source in sources for number in _ARXIV.findall(source)}
    return [each for each in known if _identifiers(each) & numbers]


def _merged(parts: Sequence[tuple[BibEntry, str]]) -> tuple[list[BibEntry], list[str]]:
    """Keep each entry once; the first of two different ones keeps a key they share."""
    entries: dict[str, BibEntry] = {}
    remarks = []
    for raw, owner in parts:
        entry = raw._replace(fields=tuple((name, spelt_out(value)) for name, value in raw.fields))
        if any(entry == each._replace(key=entry.key) for each in entries.values()):
            continue
        key, number = entry.key, 2
        while key.casefold() in entries:
            key, number = f"{entry.key}-{number}", number + 1
        if key != entry.key:
            remarks.append(f"{key}: {entry.key} {owner}, whose key another entry has.")
        entries[key.casefold()] = entry._replace(key=key)
    return list(entries.values()), remarks
