"""`marble-eval data`: list, path, download and verify, with the exit codes scripts rely on."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from marble_eval.cli import main

CONTENT = b"RIFF and so on " * 500


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server on this machine that stands for the host of a data set."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "audio.bin").write_bytes(CONTENT)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: Any) -> None:
            """Keep the test's output clean."""

    handler = partial(Quiet, directory=str(tmp_path / "host"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/audio.bin"
        server.shutdown()
        thread.join()


def with_card(folder: Path, **changes: Any) -> Path:
    card = folder / "task.yaml"
    card.write_text(yaml.safe_dump({**yaml.safe_load(card.read_text()), **changes}))
    return folder


def downloadable(folder: Path, address: str, content: bytes = CONTENT) -> Path:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    entry = {"address": address, "file": "audio.bin", "bytes": len(content), "digest": digest}
    return with_card(folder, downloads=[entry], licence="CC BY 4.0")


def test_list_names_every_data_set_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["data", "list", "--json"]) == 0
    sets = {each["data set"]: each for each in json.loads(capsys.readouterr().out)}
    assert sets["GTZAN"]["tasks"] == ["GTZAN", "GTZANBeat"]
    assert sets["MTG"]["tasks"] == ["MTGGenre", "MTGInstrument", "MTGMood", "MTGTop50"]
    assert sets["NSynth"]["licence"].startswith("CC BY 4.0")
    assert main(["data", "list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(sets) + 1


def test_path_says_where_data_belongs(
    small_task: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "path", "task=MTGMood"]) == 0
    assert main(["data", "path", f"task={small_task}/"]) == 0
    expected = f"{tmp_path / 'home' / 'data' / 'MTG'}\n{small_task}\n"
    assert capsys.readouterr().out == expected


def test_verify_ends_with_0_or_4_and_tells_why(
    small_task: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "verify", f"task={small_task}/"]) == 0
    out = capsys.readouterr().out
    assert "the copy is as the card says" in out
    assert "train           24        24" in out
    (small_task / "test_organ_0.wav").unlink()
    assert main(["data", "verify", f"task={small_task}/"]) == 4
    out = capsys.readouterr().out
    assert f"missing: 1\n  {small_task / 'test_organ_0.wav'} (test): missing" in out
    assert "3 (4)" in out
    assert "not as it must be" in out


def test_verify_as_json_is_the_whole_of_it(
    small_task: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (small_task / "test_organ_0.wav").write_bytes(b"")
    root = f"task.root={small_task}"
    assert main(["data", "verify", f"task={small_task}/", root, "--json"]) == 4
    found = json.loads(capsys.readouterr().out)
    assert not found["good"]
    assert found["unreadable"] == [
        {
            "id": "test_organ_0",
            "split": "test",
            "path": str(small_task / "test_organ_0.wav"),
            "reason": "empty (0 bytes)",
        }
    ]
    assert found["labels"]["test"]["organ"] == [3, 4]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["data"], 2, "say what to do, list, path, download, verify. Got ''"),
        (["data", "verfy", "task=GTZAN"], 2, "Did you mean 'verify'?"),
        (["data", "verify"], 2, "name a task, task=NAME"),
        (["data", "verify", "task=GTZN"], 2, "Did you mean 'GTZAN'"),
        (["data", "verify", "GTZAN"], 2, "must be given key=value. Got 'GTZAN'"),
        (["data", "verify", "task=GTZAN", "root=/x"], 2, "unknown key 'root'. Did you mean"),
        (["data", "verify", "task=GTZAN", "task=MTT"], 2, "task must be given once"),
        (["data", "verify", "task=MTT", "task.root=/nowhere"], 3, "/nowhere: must be the folder"),
        (["data", "download", "task=GTZAN"], 3, "cannot be fetched by a program"),
        (["data", "download", "task=EmbeddedKey"], 3, "Take marble-eval run task=EmbeddedKey"),
    ],
)
def test_a_mistake_is_told_with_the_next_step(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    assert said in capsys.readouterr().err


def test_instructions_stand_where_nothing_may_be_fetched(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["data", "download", "task=GTZAN"]) == 3
    out = capsys.readouterr().out
    assert "licence: none known" in out and "Kaggle" in out


def test_a_dry_run_shows_source_size_licence_and_fetches_nothing(
    small_task: Path, tmp_path: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    downloadable(small_task, address)
    root = tmp_path / "copy"
    words = ["data", "download", f"task={small_task}/", f"task.root={root}"]
    assert main([*words, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "licence: CC BY 4.0" in out and address in out and "7.5 kB" in out and "free" in out
    assert not root.exists()


def test_a_download_is_fetched_checked_and_not_fetched_again(
    small_task: Path, tmp_path: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    downloadable(small_task, address)
    root = tmp_path / "copy"
    words = ["data", "download", f"task={small_task}/", f"task.root={root}"]
    assert main(words) == 0
    assert (root / "audio.bin").read_bytes() == CONTENT
    assert "next: marble-eval data verify task=Small" in capsys.readouterr().out
    (tmp_path / "host" / "audio.bin").unlink()
    assert main(words) == 0


def test_other_bytes_than_published_are_refused(
    small_task: Path, tmp_path: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    downloadable(small_task, address, content=bytes(len(CONTENT)))
    root = tmp_path / "copy"
    assert main(["data", "download", f"task={small_task}/", f"task.root={root}"]) == 4
    assert "sha256" in capsys.readouterr().err
    assert not (root / "audio.bin").exists()


def test_offline_nothing_is_fetched(
    small_task: Path,
    tmp_path: Path,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    downloadable(small_task, address)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    words = ["data", "download", f"task={small_task}/", f"task.root={tmp_path / 'copy'}"]
    assert main(words) == 3
    assert "HF_HUB_OFFLINE" in capsys.readouterr().err
