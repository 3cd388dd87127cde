"""Data set repositories, from a server on this machine that answers as the hub does.

It speaks as much of the hub's interface as huggingface_hub needs: the repository, the
list of its files at a commit, and the files; nothing of huggingface_hub is replaced but
the address of the hub.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from marble_eval.data.downloads.hub import Snapshot, fetch_repository
from marble_eval.errors import MarbleError, MissingError, ValidationError
from marble_eval.progress import Silence
from marble_eval.spec import Download
from tests.data.downloads.host import Heard, full_disk
from tests.data.downloads.test_archives import found
from tests.data.downloads.test_transfer import refused

FILES = {
    "README.md": b"A data set.\n",
    "EMO.train.jsonl": b'{"label": [0.1, 0.2]}\n',
    "wav/1.wav": b"RIFF" * 300,
    "wav/2.wav": b"WAVE" * 300,
}
OLD, NEW = "a" * 40, "b" * 40


class Hub(http.server.ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.commits = {OLD: {"README.md": b"Empty.\n"}, NEW: dict(FILES)}
        self.manner = "open"
        self.sent: list[str] = []
        self.asked: list[str] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        place, _, _ = self.path.partition("?")
        hub = self.server
        if hub.manner == "down":
            self.answer(500, b"")
        elif hub.manner == "unknown" or "/owner/name" not in place:
            self.answer(401, b"", {"X-Error-Code": "RepoNotFound"})
        elif found := re.fullmatch(r"/api/datasets/owner/name(?:/revision/(\w+))?", place):
            commit = {None: NEW, "main": NEW}.get(found[1], found[1])
            if commit in hub.commits:
                about = {"id": "owner/name", "sha": commit, "siblings": [], "private": False}
                self.answer(200, json.dumps(about).encode())
            else:
                self.answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
        elif found := re.fullmatch(r"/api/datasets/owner/name/tree/(\w+)", place):
            self.send_tree(hub.commits[found[1]])
        elif found := re.fullmatch(r"/datasets/owner/name/resolve/(\w+)/(.+)", place):
            self.send_file(found[1], found[2])
        else:
            self.answer(404, b"")

    def send_tree(self, files: dict[str, bytes]) -> None:
        entries = []
        for path, content in files.items():
            blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
            entry: dict[str, Any] = {"type": "file", "path": path, "size": len(content)}
            entry["oid"] = blob
            if path.endswith(".wav"):
                entry["oid"] = "0" * 40
                sha = hashlib.sha256(content).hexdigest()
                entry["lfs"] = {"oid": sha, "size": len(content), "pointerSize": 130}
            entries.append(entry)
        self.answer(200, json.dumps(entries).encode())

    def send_file(self, commit: str, path: str) -> None:
        hub = self.server
        if hub.manner == "gated":
            self.answer(403, b"", {"X-Error-Code": "GatedRepo"})
            return
        content = hub.commits[commit][path]
        if hub.manner == "damaged":
            content = content[:-1] + b"?"
        if self.command == "GET":
            hub.sent.append(path)
        sha = hashlib.sha256(hub.commits[commit][path]).hexdigest()
        self.answer(200, content, {"X-Repo-Commit": commit, "ETag": f'"{sha}"'})

    def answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Keep the test's output clean."""


def speak_to(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with Hub() as server:
        speak_to(f"http://127.0.0.1:{server.server_address[1]}", monkeypatch)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


REPOSITORY = Download("hf://datasets/owner/name")


def data(root: Path) -> dict[str, bytes]:
    """Return what came, without what huggingface_hub notes beside it."""
    return {name: each for name, each in found(root).items() if not name.startswith(".cache/")}


def test_a_repository_comes_whole_and_its_commit_is_told(hub: Hub, tmp_path: Path) -> None:
    heard = Heard()
    snapshot = fetch_repository(REPOSITORY, tmp_path, heard)
    assert snapshot == Snapshot(NEW, tuple(FILES))
    assert data(tmp_path) == FILES
    assert heard.sentences == [
        f"hf://datasets/owner/name: fetching 4 of 4 files, 2.4 kB, at commit {NEW}."
    ]
    assert heard.stages == [("hf://datasets/owner/name: checking", 4, 4)] and heard.open == 0


def test_the_pinned_commit_is_fetched_and_not_the_newest(hub: Hub, tmp_path: Path) -> None:
    pinned = Download(REPOSITORY.address, revision=OLD)
    assert fetch_repository(pinned, tmp_path, Silence()).commit == OLD
    assert data(tmp_path) == {"README.md": b"Empty.\n"}


def test_only_the_wanted_files_come(hub: Hub, tmp_path: Path) -> None:
    some = Download(REPOSITORY.address, patterns=("*.jsonl", "wav/1.*"))
    assert fetch_repository(some, tmp_path, Silence()).files == ("EMO.train.jsonl", "wav/1.wav")
    assert set(data(tmp_path)) == {"EMO.train.jsonl", "wav/1.wav"} == set(hub.sent)


def test_patterns_that_fit_nothing_are_told(hub: Hub, tmp_path: Path) -> None:
    none = Download(REPOSITORY.address, patterns=("*.flac",))
    with refused(MissingError, "must have files that fit *.flac. Got none at commit", NEW):
        fetch_repository(none, tmp_path, Silence())


def test_what_is_there_is_not_fetched_again(hub: Hub, tmp_path: Path) -> None:
    fetch_repository(REPOSITORY, tmp_path, Silence())
    hub.sent.clear()
    (tmp_path / "wav" / "2.wav").unlink()
    heard = Heard()
    fetch_repository(REPOSITORY, tmp_path, heard)
    assert hub.sent == ["wav/2.wav"]
    assert heard.sentences[0].startswith(f"{REPOSITORY.address}: fetching 1 of 4 files, 1.2 kB")
    assert data(tmp_path) == FILES


@pytest.mark.parametrize("path", ["README.md", "wav/1.wav"])
def test_a_file_of_the_right_size_with_other_bytes_is_told(
    hub: Hub, tmp_path: Path, path: str
) -> None:
    hub.manner = "damaged"
    some = Download(REPOSITORY.address, patterns=(path,))
    with refused(
        ValidationError, f"{tmp_path / path}: must be the file of {REPOSITORY.address}", "Delete it"
    ):
        fetch_repository(some, tmp_path, Silence())


def test_a_gated_repository_tells_how_to_be_let_in(hub: Hub, tmp_path: Path) -> None:
    hub.manner = "gated"
    with refused(
        MissingError,
        "hf://datasets/owner/name: access must be granted by its owner.",
        "https://huggingface.co/datasets/owner/name",
        "hf auth login",
    ):
        fetch_repository(REPOSITORY, tmp_path, Silence())


def test_a_repository_that_is_not_there_is_told(hub: Hub, tmp_path: Path) -> None:
    hub.manner = "unknown"
    with refused(MissingError, "must be on the hub and open to you. It is not there, or it is pri"):
        fetch_repository(REPOSITORY, tmp_path, Silence())


def test_a_commit_that_is_not_there_is_told(hub: Hub, tmp_path: Path) -> None:
    with refused(MissingError, f"must have the commit {'c' * 40}. It has not.", "'revision'"):
        fetch_repository(Download(REPOSITORY.address, revision="c" * 40), tmp_path, Silence())


def test_a_hub_that_does_not_answer_is_told_though_files_lie_there(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """snapshot_download alone would take a folder that is not empty for the data set."""
    (tmp_path / "old.wav").write_bytes(b"old")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # taken, and nobody listens
        speak_to(f"http://127.0.0.1:{unused.getsockname()[1]}", monkeypatch)
        for wanted in (REPOSITORY, Download(REPOSITORY.address, revision=NEW)):
            with refused(MissingError, "cannot be fetched: ", "Run it again when the hub can be"):
                fetch_repository(wanted, tmp_path, Silence())
    assert hub.asked == []


def test_a_hub_in_trouble_is_told(hub: Hub, tmp_path: Path) -> None:
    hub.manner = "down"
    with pytest.raises(MissingError) as caught:
        fetch_repository(REPOSITORY, tmp_path, Silence())
    assert "500" in str(caught.value) and "\n" not in str(caught.value)


def test_offline_asks_nobody(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with refused(MissingError, "must be fetched, and HF_HUB_OFFLINE forbids it.", tmp_path):
        fetch_repository(REPOSITORY, tmp_path, Silence())
    assert hub.asked == []


def test_what_the_disk_cannot_hold_is_refused_before_it_comes(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=2000))
    with refused(MarbleError, "must have 2.4 kB free for hf://datasets/owner/name. Got 2.0 kB"):
        fetch_repository(REPOSITORY, tmp_path, Silence())
    assert hub.sent == []


def test_a_disk_that_fills_up_is_told(hub: Hub, tmp_path: Path) -> None:
    some = Download(REPOSITORY.address, patterns=("wav/1.wav",))
    with full_disk(1000), refused(MarbleError, "cannot be written: File too large.", "is kept"):
        fetch_repository(some, tmp_path, Silence())
    assert fetch_repository(some, tmp_path, Silence()).files == ("wav/1.wav",)
