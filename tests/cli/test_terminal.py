"""No name out of a file steers a terminal, or comes raw into LaTeX, BibTeX or Markdown."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from marble_eval.cli import main
from marble_eval.cli.terminal import Terminal, bare, shielded
from tests.stored_results import stored_result

EVIL = "\x1b]0;x\x07\r\x9b31m\u202e\u200b"


def _evil(value: Any, path: tuple[str, ...] = ()) -> Any:
    """Put the signs into every free text of a record."""
    free = {"name", "revision", "licence", "citation", "provider", "training_data", "remarks"}
    free |= {"tool_version", "device", "cpu", "platform", "python", "notes"}
    if isinstance(value, dict):
        return {k: _evil(v, (*path, k)) for k, v in value.items()}
    if isinstance(value, list):
        return [_evil(each, path) for each in value]
    if isinstance(value, str) and path[-1] in free and path[0] in ("encoder", "remarks"):
        return value + EVIL
    return value


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for number, name in enumerate(("first", "second")):
        path = stored_result(tmp_path / "results" / name, encoder=name, seed=number)
        values = _evil(json.loads(path.read_text(encoding="utf-8")))
        values["unit"] = f"{number:032x}"
        values["task"]["licence"] += EVIL
        values["encoder"]["citation"] = f"@misc{{k{number}{EVIL}, title = {{A{EVIL}}}}}"
        path.write_text(json.dumps(values), encoding="utf-8")
    return tmp_path / "results"


def _raw(text: str) -> list[str]:
    return [sign for sign in EVIL if not sign.isascii() or not sign.isprintable() if sign in text]


@pytest.mark.parametrize(
    "verb",
    [
        ("score", "{}"),
        ("score", "{}", "--json"),
        ("compare", "{}/first", "{}/second", "--items"),
        ("compare", "{}/first", "{}/second", "--json"),
        ("compare", "{}/first", "{}/second", "--config"),
        ("leaderboard", "{}"),
        ("leaderboard", "{}", "--md", "{}/o", "--latex", "{}/p", "--csv", "{}/q"),
        ("report", "{}", "--bib", "{}/o", "--text", "{}/p", "--latex", "{}/q"),
        ("submit", "build", "{}/../out", "{}"),
        ("tasks", f"GT{EVIL}"),
        ("encoders", "check", f"encoder={EVIL}"),
        ("cache", f"{EVIL}"),
        ("data", "path", f"task={EVIL}"),
        ("run", f"task={EVIL}"),
        (f"sc{EVIL}ore",),
    ],
)
def test_no_verb_writes_a_name_raw(
    verb: tuple[str, ...], results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([each.replace("{}", str(results)) for each in verb])
    out, err = capsys.readouterr()
    assert out or err
    assert not _raw(out + err)
    for name in "opq":
        if (results / name).exists():
            assert not _raw((results / name).read_bytes().decode())
    if "--json" in verb:
        assert EVIL in _texts(json.loads(out))  # escaped, and the same text


def _texts(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(map(_texts, value.values()))
    return "".join(map(_texts, value)) if isinstance(value, list) else str(value)


def test_a_traceback_passes_the_edge_too() -> None:
    code = (
        "import sys, marble_eval.cli as c\n"
        "def fail(verb, rest): raise RuntimeError('\\x1b[2J\\u202e')\n"
        "c._guarded = fail\nsys.argv = ['marble-eval', 'tasks']\nc.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 1
    assert b"RuntimeError: \\u001b[2J" in done.stderr and b"\x1b" not in done.stderr


def test_streams_are_given_back() -> None:
    before = sys.stdout, sys.stderr
    with shielded():
        assert isinstance(sys.stdout, Terminal) and bare(sys.stdout) is before[0]
    assert (sys.stdout, sys.stderr) == before
