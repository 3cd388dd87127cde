"""Whatever stands in a card, a table, a result file or an override: a sentence, no traceback.

Hypothesis makes the input out of valid files by putting junk in single places. The command
line must answer with one of its exit codes and an explanation, in bounded time.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marble_eval.cli import main
from tests.conftest import SMALL_CARD, write_small_task

EXAMPLE = Path(__file__).parent / "results" / "example_result.json"
CODES = {0, 1, 2, 3, 4}

#: Texts that people, scripts and broken disks leave in files.
NASTY = (
    *("", "\0", "a\0b", "\ud800", "\x1b[31m", "\x9b2J", "\r", "NaN", "inf", "1e999", "1e308", "-1"),
    *("../..", "/dev/zero", "~", "~nobody/x", "C:\\x.wav", "a" * 5000, "${oc.env:NOPE}", "${", "é"),
)
SCALARS = st.one_of(
    st.sampled_from(NASTY),
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.sampled_from([1e308, 1e-9, -0.0, float("nan"), float("inf"), 10**9, 10**18]),
    st.text(max_size=8),
)
JUNK = st.recursive(
    SCALARS,
    lambda each: (
        st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=5), each, max_size=3)
    ),
    max_leaves=5,
)
QUICK = settings(
    max_examples=100,
    deadline=5000,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def places_in(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the paths of everything inside nested mappings and lists."""
    listed = value if isinstance(value, list) else ()
    inside = value.items() if isinstance(value, dict) else enumerate(listed)
    found = [at] if at else []
    for name, each in inside:
        found += places_in(each, (*at, name))
    return found


def with_junk(value: Any, place: tuple[Any, ...], junk: object) -> Any:
    """Copy nested values with junk in one place."""
    changed = copy.deepcopy(value)
    inner = changed
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = junk
    return changed


def answer(capfd: pytest.CaptureFixture[str], *line: str) -> None:
    """Run a command line; it must explain itself."""
    code = main(list(line))
    said = capfd.readouterr().err
    assert code in CODES
    assert "Traceback" not in said
    assert code == 0 or said.strip()


CARD = yaml.safe_load(SMALL_CARD)
CARD_PLACES = places_in(CARD)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small task, whose card or table is replaced in each example."""
    return write_small_task(tmp_path_factory.mktemp("hostile") / "small")


@given(st.sampled_from(CARD_PLACES), JUNK)
@QUICK
def test_a_card_with_junk_is_explained(
    small: Path, capfd: pytest.CaptureFixture[str], place: tuple[Any, ...], junk: object
) -> None:
    card = small / "task.yaml"
    text = yaml.safe_dump(with_junk(CARD, place, junk), allow_unicode=True)
    try:
        card.write_bytes(text.encode("utf-8", "surrogatepass"))
        answer(capfd, "data", "verify", f"task={small}")
    finally:
        card.write_text(SMALL_CARD)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 48), st.integers(0, 3), st.sampled_from(NASTY) | st.text(max_size=6)
        ),
        max_size=6,
    )
)
@QUICK
def test_a_table_with_junk_is_explained(
    small: Path, capfd: pytest.CaptureFixture[str], edits: list[tuple[int, int, str]]
) -> None:
    table = small / "tracks.csv"
    whole = table.read_bytes()
    rows = [line.split(",") for line in whole.decode().splitlines()]
    for row, column, text in edits:
        rows[row][column] = text
    try:
        written = "\n".join(",".join(each) for each in rows)
        table.write_bytes(written.encode("utf-8", "surrogatepass"))
        answer(capfd, "data", "verify", f"task={small}")
    finally:
        table.write_bytes(whole)


@given(st.binary(max_size=400))
@QUICK
def test_a_table_of_any_bytes_is_explained(
    small: Path, capfd: pytest.CaptureFixture[str], content: bytes
) -> None:
    table = small / "tracks.csv"
    whole = table.read_bytes()
    try:
        table.write_bytes(content)
        answer(capfd, "data", "verify", f"task={small}")
    finally:
        table.write_bytes(whole)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("task.yaml", "name: Small\n? [a, b]\n: 3\n"),
        ("task.yaml", "kind: " + "[" * 5000),
        ("task.yaml", "a: &a [*a]\n"),
        ("task.yaml", "\0"),
        ("task.yaml", "- a\n"),
        ("task.yaml", SMALL_CARD.replace("clip_seconds: null", "clip_seconds: 1e-9")),
        ("task.yaml", SMALL_CARD.replace("clip_seconds: null", "clip_seconds: .inf")),
        ("tracks.csv", "path,label,split\n\0.wav,flute,train\n"),
        ("tracks.csv", ",".join(map(str, range(100_000))) + "\n"),
        ("tracks.csv", '"' * 99 + "\n"),
        ("tracks.csv", "\ud800,label\n"),
    ],
)
def test_a_broken_file_is_explained(
    small: Path, capfd: pytest.CaptureFixture[str], name: str, content: str
) -> None:
    file = small / name
    whole = file.read_bytes()
    try:
        file.write_bytes(content.encode("utf-8", "surrogatepass"))
        answer(capfd, "data", "verify", f"task={small}")
        answer(capfd, "run", f"task={small}", "encoder=mel", "--dry-run")
    finally:
        file.write_bytes(whole)


@pytest.mark.parametrize("verb", ["leaderboard", "score", "report"])
@pytest.mark.parametrize("content", ["[" * 100_000, "\0", "{}", "[]", "nul", '{"a": NaN}'])
def test_a_broken_result_is_explained(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], verb: str, content: str
) -> None:
    (tmp_path / "result.json").write_text(content)
    rest = ["--text", str(tmp_path / "text.md")] if verb == "report" else []
    answer(capfd, verb, str(tmp_path), *rest)


def test_a_score_of_any_size_and_a_name_of_any_length_are_reported(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    values = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    values["labels"][0]["name"] = "x" * 150
    for each in values["metrics"].values():
        each["value"] = 1e308
    (tmp_path / "result.json").write_text(json.dumps(values))
    answer(capfd, "leaderboard", str(tmp_path))
    for form in ("--figures", "--html", "--latex", "--text"):
        answer(capfd, "report", str(tmp_path), form, str(tmp_path / form))


@pytest.mark.parametrize(
    "line",
    [
        ("init", "task", "a\0b"),
        ("init", "task", "\ud800"),
        ("run", "encoder=mel", "task.root=${oc.env:NOPE}"),
        ("leaderboard", "/dev/null"),
        ("submit", "validate", "\0"),
    ],
)
def test_a_hostile_argument_is_explained(
    small: Path, capfd: pytest.CaptureFixture[str], line: tuple[str, ...]
) -> None:
    rest = (f"task={small}",) if line[0] == "run" else ()
    answer(capfd, *line, *rest)


RESULT = json.loads(EXAMPLE.read_text(encoding="utf-8"))
RESULT_PLACES = places_in(RESULT)


@pytest.mark.parametrize("verb", ["leaderboard", "score", "compare", "report"])
@given(place=st.sampled_from(RESULT_PLACES), junk=JUNK)
@QUICK
def test_a_result_file_with_junk_is_explained(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    verb: str,
    place: tuple[Any, ...],
    junk: object,
) -> None:
    for name, content in (("a", RESULT), ("b", with_junk(RESULT, place, junk))):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        text = json.dumps(content, ensure_ascii=True)
        (folder / "result.json").write_text(text)
    rest = {
        "leaderboard": [str(tmp_path)],
        "score": [str(tmp_path)],
        "compare": [str(tmp_path / "a"), str(tmp_path / "b"), "--config"],
        "report": [str(tmp_path), "--text", str(tmp_path / "text.md")],
    }[verb]
    answer(capfd, verb, *rest)


OPTIONS = st.sampled_from(
    [
        "task", "encoder", "probe", "protocol", "engine", "suite", "layers", "seeds", "seed",
        "missing", "results", "task.root", "encoder.path", "engine.device", "features.dtype",
        "features.frame_rate", "frames.decoder", "protocol.batch_tracks", "probe.hidden", "nope",
    ]
)  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from(["", "[", "{", "${", "[1,2", "null", "1e9", "-1", "a=b", "mel,chroma", *NASTY]),
    st.text(max_size=6),
)


@given(st.lists(st.tuples(OPTIONS, TEXTS), min_size=1, max_size=3))
@settings(QUICK, max_examples=25)
def test_an_override_with_junk_is_explained(
    small: Path, capfd: pytest.CaptureFixture[str], choices: list[tuple[str, str]]
) -> None:
    line = [f"{name}={text}" for name, text in choices]
    answer(capfd, "run", f"task={small}", "encoder=mel", "--dry-run", *line)
