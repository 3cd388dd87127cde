"""The page as text: what it holds, what it may run, and that no name becomes markup."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from marble_eval.errors import MissingError, ValidationError
from marble_eval.leaderboard import published_scores
from marble_eval.report.page import page, render, write_page
from marble_eval.results import Result
from marble_eval.results.caveats import OtherDeviation
from marble_eval.results.schema import to_json
from tests.report.page.conftest import MADE
from tests.report.page.many_results import example, many_results

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "</script><script>alert(3)</script>",
    "'; alert(4); //",
    "</title></style></noscript><svg onload=alert(5)>",
    "{{ 7 * 7 }}{% raw %}",
    "مرحبا \u202eesrever",
    "🎵🎶 emoji \ud83d",
    "name" * 60,
)


class Reader(HTMLParser):
    """Notes the elements, scripts and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.cells: list[str] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)
        if tag == "script" and dict(attrs).get("type") is None:
            self.scripts.append("")
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        is_code = self.tags and self.tags[-1] == ("script", {})
        if self._open and self._open[-1] == "script" and is_code:
            self.scripts[-1] += data
        elif self.cells and {"td", "th"} & set(self._open):
            self.cells[-1] += data


def hostile_results() -> list[Result]:
    base = example()
    return [
        replace(
            base,
            unit=f"{number:032x}",
            encoder=replace(
                base.encoder, name=text, revision=text, licence=text, trained_on=text,
                overlap=text, citation=text, remote_code=text,
            ),
            task=replace(base.task, licence=text, provider=text),
            labels=tuple(replace(each, name=f"{text} {each.name}") for each in base.labels),
            counts=replace(base.counts, missing=(replace(base.counts.missing[0], id=text),)),
            remarks=(text,),
            protocol=replace(base.protocol, conforms=False, deviations=(OtherDeviation(text),)),
        )
        for number, text in enumerate(HOSTILE)
    ]  # fmt: skip


def text_of(results: list[Result], **said: object) -> str:
    return render(results, made=MADE, **said)  # type: ignore[arg-type]


def policy_of(reader: Reader) -> dict[str, list[str]]:
    (content,) = (
        attributes["content"]
        for tag, attributes in reader.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    return {name: sources for name, *sources in (part.split() for part in str(content).split(";"))}


def test_the_same_content_makes_the_same_page() -> None:
    results = many_results(2, 3)
    assert text_of(results) == text_of(results[::-1])


def test_the_tables_stand_in_the_file() -> None:
    reader = Reader(text_of([example()], published=published_scores()))
    assert "74.8" in reader.cells and "[25.0, 100.0]" in reader.cells
    assert "MERT-v1-95M" in reader.cells and "run" in reader.cells


def test_every_main_score_stands_in_the_file_without_scripts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(page, "FIRST_ROWS", 2)
    results = many_results(3, 2)
    text = text_of(results)
    table = text[: text.index("maps-title")]
    assert [table.count(f">encoder-00{number}<") for number in range(3)] == [2, 2, 2]
    assert "continued from row 3" in table


def test_only_the_pages_own_scripts_may_run() -> None:
    reader = Reader(text_of([example()]))
    allowed = policy_of(reader)["script-src"]
    digests = [hashlib.sha256(each.encode()).digest() for each in reader.scripts]
    found = [f"'sha256-{base64.b64encode(each).decode()}'" for each in digests]
    assert len(found) == 2
    assert allowed[:2] == found and len(allowed) == 3  # the third: the charts, run when needed


def test_the_policy_lets_nothing_in_or_out() -> None:
    policy = policy_of(Reader(text_of([example()])))
    assert policy.pop("script-src")
    assert policy == {
        "default-src": ["'none'"],
        "style-src": ["'unsafe-inline'"],
        "img-src": ["data:"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }


def test_the_page_names_nothing_to_fetch() -> None:
    reader = Reader(text_of([example()], published=published_scores()))
    for tag, attributes in reader.tags:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base"), tag
        assert "src" not in attributes
        assert str(attributes.get("href", "#")).startswith("#")
    style = re.findall(r"<style>(.*?)</style>", text_of([example()]), re.DOTALL)[0]
    assert "url(" not in style and "@import" not in style


def test_hostile_names_are_text() -> None:
    harmless = Reader(text_of([example()]))
    reader = Reader(text_of(hostile_results()))
    assert {tag for tag, _ in reader.tags} == {tag for tag, _ in harmless.tags}
    assert len(reader.scripts) == 2
    assert not [
        attributes
        for _, attributes in reader.tags
        if any(name.startswith("on") for name in attributes)
    ]
    shown = {cell.strip() for cell in reader.cells}
    assert {text for text in HOSTILE if "\ud83d" not in text} <= shown


def test_a_script_cannot_end_its_element() -> None:
    script = page._script('const text = "</script><!-- end"; const same = /<\\/script>/;')
    assert "</script" not in script.text and "<!--" not in script.text


def test_real_and_embedded_data_never_share_a_page() -> None:
    embedded = replace(example(), task=replace(example().task, embedded=True))
    for results, said in (
        ([example(), embedded], {}),
        ([example()], {"embedded": True}),
        ([embedded], {"embedded": True, "published": published_scores()}),
    ):
        with pytest.raises(ValueError, match="embedded data alone, or real data alone"):
            text_of(results, **said)


def test_a_page_of_papers_alone_can_be_made() -> None:
    text = text_of([], published=published_scores())
    assert "0 results of 0 encoders on 0 tasks" in text and "MERT-v1-330M" in text


def written(root: Path, *results: Result) -> list[Path]:
    paths = [root / str(number) / "result.json" for number in range(len(results))]
    for path, result in zip(paths, results, strict=True):
        path.parent.mkdir()
        path.write_text(to_json(result, str(path)), encoding="utf-8")
    return paths


def test_a_page_is_written_from_result_files(tmp_path: Path) -> None:
    embedded = replace(
        example(), unit="e" * 32, task=replace(example().task, name="Toy", embedded=True)
    )
    paths = written(tmp_path, example(), embedded)
    file = tmp_path / "report.html"
    before = datetime.now(UTC).replace(microsecond=0)
    write_page(paths, file)
    text = file.read_text(encoding="utf-8")
    made = re.findall(r'<time datetime="([^"]*)"', text)
    assert before <= datetime.fromisoformat(made[0]) <= datetime.now(UTC)
    assert "1 result of 1 encoder on 1 task, with" in text
    assert "1 result on embedded data is not on this page" in text
    write_page(paths, file, embedded=True)
    text = file.read_text(encoding="utf-8")
    assert "Embedded data." in text and "MERT-v1-95M" not in text
    assert "1 result on real data is not on this page" in text
    assert not list(tmp_path.glob("*.part"))


def test_copies_of_a_result_count_once(tmp_path: Path) -> None:
    paths = written(tmp_path, example(), example())
    write_page(paths, tmp_path / "report.html")
    assert "1 result of 1 encoder" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_page_needs_a_folder_and_whole_results(tmp_path: Path) -> None:
    (path,) = written(tmp_path, example())
    with pytest.raises(MissingError, match="no such folder to write the page into"):
        write_page([path], tmp_path / "absent" / "report.html")
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(ValidationError, match="'schema_version' must be"):
        write_page([path], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
