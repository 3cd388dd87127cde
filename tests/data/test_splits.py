"""Published split lists, fetched from a real server on this machine.

The lists are synthetic; `tasks/gtzan/test_gtzan.py` has the published ones.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http.server
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from marble_eval.data import splits
from marble_eval.data.layouts.folders import ids_of
from marble_eval.data.splits import published_list
from marble_eval.errors import MarbleError, MissingError, ValidationError
from marble_eval.spec import SplitList, TaskSpec, from_mapping
from tests.conftest import SMALL_CARD

LISTS = {
    "train": b"flute/flute.00000.wav\nflute/flute.00001.wav\norgan/organ.00000.wav\n",
    "valid": b"flute/flute.00002.wav\n",
    "test": b"organ/organ.00001.wav\n\norgan/organ.00002.au\n",
}
IDS = {
    "train": ("flute/flute.00000", "flute/flute.00001", "organ/organ.00000"),
    "valid": ("flute/flute.00002",),
    "test": ("organ/organ.00001", "organ/organ.00002"),
}


class Server(http.server.ThreadingHTTPServer):
    """A server that counts what it is asked for and misbehaves on demand."""

    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[str] = []
        self.files = {f"/rev/lists/{split}.txt": text for split, text in LISTS.items()}
        self.manner = "good"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/rev"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away: some tests send them away."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        manner, content = self.server.manner, self.server.files.get(self.path)
        if manner == "silent":
            time.sleep(1.0)
            return
        if manner == "hangs up":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if manner == "talks nonsense":
            self.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")
            return
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:-9] if manner == "cuts short" else content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(urllib.request, "_opener", None)  # it keeps the proxies it first saw
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def card(source: str, contents: dict[str, bytes] = LISTS) -> TaskSpec:
    spec = from_mapping(TaskSpec, yaml.safe_load(SMALL_CARD), "card")
    lists = {
        split: SplitList(f"lists/{split}.txt", hashlib.sha256(text).hexdigest())
        for split, text in contents.items()
    }
    return dataclasses.replace(spec, split_source=source, split_lists=lists)


def published_lists(
    spec: TaskSpec, root: Path, given: Path | None = None
) -> dict[str, tuple[str, ...]]:
    return {name: ids_of(published_list(spec, root, given, name)) for name in spec.split_lists}


def write_lists(folder: Path, **changes: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for split, text in {**LISTS, **changes}.items():
        (folder / f"{split}.txt").write_bytes(text)
    return folder


def cached(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "splits").rglob("*") if path.is_file())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return Path(os.environ["MARBLE_EVAL_HOME"])  # conftest's, a folder of the test's own


@contextlib.contextmanager
def refused(error: type[Exception], *parts: object) -> Iterator[None]:
    with pytest.raises(error) as caught:
        yield
    for part in parts:
        assert str(part) in str(caught.value)


def test_lists_are_fetched_once_and_then_read_from_the_cache(
    server: Server, tmp_path: Path, home: Path
) -> None:
    spec = card(server.address)
    assert published_lists(spec, tmp_path) == IDS
    assert sorted(server.requests) == [f"/rev/lists/{split}.txt" for split in sorted(LISTS)]
    assert cached(home) == ["test.txt", "train.txt", "valid.txt"]
    assert published_lists(spec, tmp_path) == IDS
    assert len(server.requests) == 3


def test_the_cache_works_without_any_server(server: Server, tmp_path: Path) -> None:
    spec = card(server.address)
    published_lists(spec, tmp_path)
    server.manner = "hangs up"
    assert published_lists(spec, tmp_path) == IDS


def test_another_edition_of_a_list_is_not_taken_for_the_cached_one(
    server: Server, tmp_path: Path, home: Path
) -> None:
    published_lists(card(server.address), tmp_path)
    longer = {**LISTS, "valid": LISTS["valid"] + b"organ/organ.00009.wav\n"}
    server.files["/rev/lists/valid.txt"] = longer["valid"]
    found = published_lists(card(f"{server.address}/", longer), tmp_path)
    assert found["valid"] == ("flute/flute.00002", "organ/organ.00009")
    assert len(server.requests) == 4
    assert len(cached(home)) == 4


def test_a_task_with_a_split_of_its_own_has_no_lists(tmp_path: Path) -> None:
    assert published_lists(card("http://127.0.0.1:1", {}), tmp_path) == {}


def test_lists_in_the_root_are_taken_and_nothing_is_fetched(
    server: Server, tmp_path: Path, home: Path
) -> None:
    assert published_lists(card(server.address), write_lists(tmp_path / "data")) == IDS
    assert server.requests == [] and cached(home) == []


def test_lists_in_the_named_folder_come_before_those_in_the_root(
    server: Server, tmp_path: Path
) -> None:
    root = write_lists(tmp_path / "data", train=b"wrong\n")
    given = write_lists(tmp_path / "lists")
    assert published_lists(card(server.address), root, given) == IDS
    assert server.requests == []


def test_a_named_folder_that_lacks_a_list_is_refused(server: Server, tmp_path: Path) -> None:
    given, root = write_lists(tmp_path / "lists"), write_lists(tmp_path / "data")
    (given / "valid.txt").unlink()
    spec = card(server.address)
    with refused(MissingError, f"{given / 'valid.txt'}: must exist, since task.splits names its"):
        published_lists(spec, root, given)
    with refused(MissingError, f"{given / 'test.txt' / 'train.txt'}: must exist"):
        published_lists(spec, root, given / "test.txt")
    assert server.requests == []


def test_windows_line_ends_are_accepted(tmp_path: Path) -> None:
    lines = {split: text.replace(b"\n", b"\r\n") for split, text in LISTS.items()}
    spec = card("http://127.0.0.1:1")
    assert published_lists(spec, write_lists(tmp_path / "data", **lines)) == IDS


def test_a_list_published_with_windows_line_ends_is_accepted(tmp_path: Path) -> None:
    lines = {split: text.replace(b"\n", b"\r\n") for split, text in LISTS.items()}
    spec = card("http://127.0.0.1:1", lines)
    assert published_lists(spec, write_lists(tmp_path / "data", **lines)) == IDS


@pytest.mark.parametrize(
    "edited",
    [
        LISTS["train"] + b"organ/organ.00003.wav\n",
        LISTS["train"][:-1],
        LISTS["train"].replace(b".wav", b".mp3"),
        b"",
        b"\xff\xfe",
    ],
)
def test_an_edited_list_is_refused_wherever_it_lies(
    server: Server, tmp_path: Path, home: Path, edited: bytes
) -> None:
    spec = card(server.address)
    wanted = spec.split_lists["train"].sha256
    found = hashlib.sha256(edited).hexdigest()
    rule = f"must be the published split list, SHA-256 {wanted}. Got {found}."

    root = write_lists(tmp_path / "data", train=edited)
    with refused(ValidationError, f"{root / 'train.txt'}: {rule} Delete it, and the published"):
        published_lists(spec, root)
    given = write_lists(tmp_path / "lists", train=edited)
    address = f"Get it from {server.address}/lists/train.txt."
    with refused(ValidationError, f"{given / 'train.txt'}: {rule} {address}"):
        published_lists(spec, tmp_path, given)
    assert server.requests == []

    published_lists(spec, tmp_path)
    (kept,) = (home / "splits").rglob("train.txt")
    kept.write_bytes(edited)
    with refused(ValidationError, f"{kept}: {rule} Delete it"):
        published_lists(spec, tmp_path)
    kept.unlink()
    assert published_lists(spec, tmp_path) == IDS


def test_wrong_bytes_from_the_server_are_refused_and_not_cached(
    server: Server, tmp_path: Path, home: Path
) -> None:
    spec = card(server.address)
    server.files["/rev/lists/train.txt"] = b"<html>Please log in to the Wi-Fi</html>"
    with refused(
        ValidationError,
        f"{server.address}/lists/train.txt: must be the published split list, SHA-256 ",
        f"Get it by hand, curl -LO {server.address}/lists/train.txt, and put it into {tmp_path} or",
    ):
        published_lists(spec, tmp_path)
    assert cached(home) == []
    server.files["/rev/lists/train.txt"] = LISTS["train"]
    assert published_lists(spec, tmp_path) == IDS


@pytest.mark.parametrize(
    ("manner", "why"),
    [
        ("lost", "HTTP Error 404: Not Found"),
        ("cuts short", "IncompleteRead(57 bytes read, 9 more expected)"),
        ("hangs up", "Remote end closed connection without response"),
        ("talks nonsense", "SSH-2.0-OpenSSH_9.6"),
        ("silent", "timed out"),
    ],
)
def test_a_server_that_fails_is_told_with_what_to_do_by_hand(
    server: Server,
    tmp_path: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    manner: str,
    why: str,
) -> None:
    server.manner = manner
    monkeypatch.setattr(splits, "_TIMEOUT", 0.3)
    if manner == "lost":
        server.files.clear()
    address = f"{server.address}/lists/train.txt"
    with refused(
        MissingError,
        f"{address}: the split list of Small cannot be fetched: ",
        f"{why}. Get it by hand, curl -LO {address}, and put it into {tmp_path} or a folder that "
        f"task.splits names.",
    ):
        published_lists(card(server.address), tmp_path)
    assert cached(home) == []
    server.manner = "good"
    server.files |= {f"/rev/lists/{split}.txt": text for split, text in LISTS.items()}
    assert published_lists(card(server.address), tmp_path) == IDS


def test_no_server_at_all_is_told(server: Server, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # taken, and nobody listens
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with refused(MissingError, f"{address}/lists/train.txt: ", "Connection refused"):
            published_lists(card(address), tmp_path)


@pytest.mark.parametrize("source", ["", "nowhere", "gopher://127.0.0.1", "http://127.0.0.1:x/"])
def test_an_address_that_is_none_is_told(tmp_path: Path, source: str) -> None:
    with refused(MissingError, "the split list of Small cannot be fetched: "):
        published_lists(card(source), tmp_path)


@pytest.mark.parametrize("switch", ["1", "true", "YES", "On"])
def test_offline_opens_no_socket(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, switch: str
) -> None:
    def connect(*arguments: Any) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setenv("HF_HUB_OFFLINE", switch)
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)
    with refused(
        MissingError,
        "train.txt: the split list of Small is not here, and HF_HUB_OFFLINE forbids fetching it.",
        f"Get it by hand, curl -LO {server.address}/lists/train.txt, and put it into {tmp_path}",
    ):
        published_lists(card(server.address), tmp_path)
    assert server.requests == []
    assert published_lists(card(server.address), write_lists(tmp_path / "data")) == IDS


def test_offline_set_to_nothing_is_online(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert published_lists(card(server.address), tmp_path) == IDS


def test_a_proxy_does_not_stand_before_addresses_that_need_none(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    assert published_lists(card(server.address), tmp_path) == IDS


def test_a_proxy_is_asked_where_one_is_set(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.address)
    monkeypatch.delenv("no_proxy", raising=False)
    for split, text in LISTS.items():  # a proxy is asked for whole addresses
        server.files[f"http://published.invalid/lists/{split}.txt"] = text
    assert published_lists(card("http://published.invalid"), tmp_path) == IDS


def test_a_home_that_cannot_be_written_is_told(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MARBLE_EVAL_HOME", str(tmp_path / "file"))
    with refused(MarbleError, f"{tmp_path / 'file' / 'splits'}", "Set MARBLE_EVAL_HOME to a"):
        published_lists(card(server.address), tmp_path)


FETCH = """
import sys
from pathlib import Path
from tests.data.test_splits import IDS, card, published_lists

print("ready", flush=True)
sys.stdin.readline()
assert published_lists(card(sys.argv[1]), Path(sys.argv[2])) == IDS
"""


def test_two_processes_that_fetch_at_once_both_get_the_lists(
    server: Server, tmp_path: Path, home: Path
) -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", FETCH, server.address, str(tmp_path)],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in "ab"
    ]
    for each in running:
        assert each.stdout is not None and each.stdout.readline() == "ready\n"
    for each in running:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    for each in running:
        each.communicate()
    assert [each.returncode for each in running] == [0, 0]
    assert cached(home) == ["test.txt", "train.txt", "valid.txt"]


def test_threads_that_fetch_at_once_leave_whole_files(
    server: Server, tmp_path: Path, home: Path
) -> None:
    spec, gate, found = card(server.address), threading.Barrier(8), []

    def fetch() -> None:
        gate.wait()
        found.append(published_lists(spec, tmp_path))

    threads = [threading.Thread(target=fetch) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == [IDS] * 8
    assert cached(home) == ["test.txt", "train.txt", "valid.txt"]
