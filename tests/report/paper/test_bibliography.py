"""What is to be cited: from records and cards, each once, and nothing dropped in silence."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from marble_eval.registry import load_probe, probe_record, task_folders
from marble_eval.report.paper import bibliography, collect
from marble_eval.report.paper.bibliography import shipped_entries
from marble_eval.report.paper.bibtex import parse_entries
from marble_eval.results import Result
from marble_eval.spec import FrameRules
from tests.report.result_files import embedded, example, write

ROOT = Path(__file__).parents[3]
MODULE = sys.modules["marble_eval.report.paper.bibliography"]


def cited(result: Result, citation: str) -> Result:
    return replace(result, encoder=replace(result.encoder, citation=citation))


def of_kind(result: Result, kind: str, decoder: str | None = None) -> Result:
    frames = None if decoder is None else FrameRules(decoder="dbn" if decoder == "dbn" else "peaks")
    return replace(
        result,
        task=replace(result.task, kind=kind),
        protocol=replace(result.protocol, frames=frames),
    )


def scored_by(result: Result, citation: str) -> Result:
    """Say what the main metric cites."""
    name, score = next(iter(result.metrics.items()))
    return replace(result, metrics={name: replace(score, citation=citation)})


def keys(results: Iterable[Result]) -> list[str]:
    return [each.key for each in collect(list(results)).entries]


def test_harness_benchmark_encoder_and_data_are_cited(tmp_path: Path) -> None:
    text = bibliography(write(tmp_path, example("MERT-v1-95M"), example("MuQ", "EMO")))
    assert [each.key for each in parse_entries(text)] == [
        "li2024mert", "marbleeval", "soleymani2013songs", "tzanetakis2002musical", "yuan2023marble",
        "zhu2025muq",
    ]  # fmt: skip
    assert "Version 0.1.0" in text
    assert text == bibliography(sorted(tmp_path.rglob("result.json"), reverse=True))


def test_text_beside_the_entries_holds_no_sign_that_begins_one(tmp_path: Path) -> None:
    paths = write(tmp_path, cited(example("me@home", "Tempo@2"), "by me@home"))
    text = bibliography(paths)
    comments = [line for line in text.splitlines() if line.startswith("%")]
    assert any("Tempo at 2" in line and "not installed" in line for line in comments)
    assert any("me at home" in line for line in comments)
    assert all("@" not in line for line in comments)
    assert next(each.value("note") for each in parse_entries(text)) == "by me@home"


@pytest.mark.parametrize("config", sorted((ROOT / "configs/encoder").glob("*.yaml")), ids=str)
def test_the_citation_of_every_encoder_finds_its_paper(config: Path) -> None:
    citation = yaml.safe_load(config.read_text(encoding="utf-8"))["card"]["citation"]
    found = collect([embedded(cited(example(config.stem, "EmbeddedKey"), citation))])
    remarks = [each for each in found.remarks if each.startswith("encoder")]
    if citation == "not stated":
        assert len(remarks) == 1
    else:
        assert remarks == []
    shipped = {each.key for each in shipped_entries("encoders.bib")}
    wanted = citation.count("arXiv") + citation.count("10.1121/") + citation.count("10.25080/")
    assert len(shipped & {each.key for each in found.entries}) == wanted


def test_a_citation_that_nothing_matches_is_given_as_it_stands() -> None:
    found = collect([cited(example("odd & new"), "A. Nobody {1999}, arXiv 9999.99999")])
    (entry,) = (each for each in found.entries if each.kind == "misc" and each.key != "marbleeval")
    assert entry.value("note") == (
        r"A. Nobody \textbraceleft{}1999\textbraceright{}, arXiv 9999.99999"
    )
    assert entry.value("title") == r"{odd \& new}"
    assert not entry.value("author")
    assert entry.key == "encoder-odd-new"
    assert any("odd & new" in each for each in found.remarks)
    parse_entries(found.text())


def test_a_part_of_a_citation_that_matches_is_cited_besides() -> None:
    found = keys([cited(example("pair"), "arXiv 1909.06654; arXiv 9999.99999")])
    assert {"pons2019musicnn", "encoder-pair"} <= set(found)


def test_an_encoder_may_bring_its_own_entry() -> None:
    assert "ada2030" in keys([cited(example(), "@misc{ada2030, title = {An Encoder}}")])


def test_programs_are_cited_where_scores_follow_them() -> None:
    plain, key = keys([example()]), keys([scored_by(example(), "raffel2014mireval")])
    beats, peaks = (keys([of_kind(example(), "beat", each)]) for each in ("dbn", "peaks"))
    assert "raffel2014mireval" not in plain
    assert "raffel2014mireval" in key
    assert "krebs2015efficient" in beats
    assert "krebs2015efficient" not in peaks
    # The rules of chords have a field for the decoder of beats, which they do not use.
    assert "krebs2015efficient" not in keys([of_kind(example(), "chord", "dbn")])
    logreg = replace(example(), probe=probe_record(load_probe("logreg")))
    assert "pedregosa2011scikit" in keys([logreg])


def test_two_data_sets_with_one_key_get_two(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = dict(task_folders())
    card = folders["EMO"].spec
    same = "@misc{knees2015two, title = {Böses Ende}}"
    folders["EMO"] = replace(folders["EMO"], spec=replace(card, citation=same))
    monkeypatch.setattr(MODULE, "task_folders", lambda: folders)
    found = collect([example("a", "GS"), example("a", "EMO")])
    of_data = {each.key: each.value("title") for each in found.entries if "knees" in each.key}
    assert sorted(of_data) == ["knees2015two", "knees2015two-2"]
    assert any("knees2015two-2" in each and "GS" in each for each in found.remarks)
    assert of_data["knees2015two"] == r"B{\"o}ses Ende"


def test_a_card_that_cannot_be_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = dict(task_folders())
    for name, citation in (
        ("GS", "@article{broken, title = {a}"),
        ("EMO", " "),
        ("MTT", "see there"),
    ):
        folders[name] = replace(folders[name], spec=replace(folders[name].spec, citation=citation))
    monkeypatch.setattr(MODULE, "task_folders", lambda: folders)
    found = collect([example("a", name) for name in ("GS", "EMO", "MTT")])
    assert [each.split()[-1] for each in found.remarks] == ["yourself.", "''.", "BibTeX."]
    assert len(parse_entries(found.text())) == len(found.entries)


def test_embedded_data_is_told_to_be_ours() -> None:
    found = collect([embedded(example("mel", "EmbeddedKey"))])
    assert any("EmbeddedKey" in each and "marbleeval" in each for each in found.remarks)


def test_papers_whose_scores_are_shown_beside_are_cited() -> None:
    beside = keys([cited(example(), "none")])
    assert "zhu2025muq" in beside  # it reports GTZAN
    assert "zhu2025muq" not in keys([cited(example("a", "Ballroom"), "none")])


def test_the_harness_is_called_as_the_citation_file_calls_it() -> None:
    values = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    (entry,) = (each for each in shipped_entries("methods.bib") if each.key == "marbleeval")
    assert entry.value("title").translate(str.maketrans("", "", "{}")) == values["title"]
    assert entry.value("year") == str(values["date-released"])[:4]
    assert entry.value("author").strip("{}") == values["authors"][0]["name"]
