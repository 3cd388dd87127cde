"""A host on this machine that publishes files, as well or as badly as a test wants."""

from __future__ import annotations

import hashlib
import http.server
import re
import resource
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from marble_eval.spec import Download


@dataclass
class Published:
    """A file as it is published at the moment."""

    content: bytes
    tag: str = '"first"'
    changed: str = ""
    honours_range: bool = True
    honours_condition: bool = True
    tells_length: bool = True
    tells_total: bool = True
    starts_early: int = 0
    moved_to: str = ""


@dataclass
class Trouble:
    """What goes wrong with one request; they are used up in their order."""

    status: int = 0  # answered instead of the file
    after: int | None = None  # bytes of the body, then the connection ends
    reset: bool = False  # it ends with a reset
    silent: bool = False  # it does not end, and nothing comes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """What was asked for."""

    path: str
    range: str | None
    if_range: str | None


class Host(http.server.ThreadingHTTPServer):
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, Published] = {}
        self.troubles: list[Trouble] = []
        self.requests: list[Request] = []
        self.agents: set[str] = set()
        self.go_on = threading.Event()

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"

    def publish(self, path: str, content: bytes, **more: Any) -> Download:
        self.files[f"/{path}"] = Published(content, **more)
        return download(self.address(path), path, content)

    @property
    def ranges(self) -> list[str | None]:
        return [each.range for each in self.requests]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away: some tests send them away."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Host

    def do_GET(self) -> None:
        asked = self.headers["Range"]
        self.server.requests.append(Request(self.path, asked, self.headers["If-Range"]))
        self.server.agents.add(self.headers["User-Agent"])
        found = self.server.files.get(self.path)
        trouble = self.server.troubles.pop(0) if self.server.troubles else Trouble()
        if trouble.status or found is None:
            self.answer(trouble.status or 404, trouble.headers)
        elif found.moved_to:
            self.answer(302, {"Location": found.moved_to})
        else:
            self.send_file(found, asked, trouble)

    def answer(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def send_file(self, found: Published, asked: str | None, trouble: Trouble) -> None:
        whole, start = found.content, 0
        condition = self.headers["If-Range"] if found.honours_condition else None
        wanted = re.fullmatch(r"bytes=(\d+)-", asked or "")
        if wanted and found.honours_range and condition in (None, found.tag, found.changed):
            start = int(wanted[1])
            if start >= len(whole):
                self.answer(416, {"Content-Range": f"bytes */{len(whole)}"})
                return
        self.send_response(206 if start else 200)
        if start:
            start -= found.starts_early
            total = len(whole) if found.tells_total else "*"
            self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{total}")
        if found.tells_length:
            self.send_header("Content-Length", str(len(whole) - start))
        for name, value in (("ETag", found.tag), ("Last-Modified", found.changed)):
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(whole[start:][: trouble.after])
        if trouble.silent:
            self.server.go_on.wait(20)
        if trouble.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Keep the test's output clean."""


@contextmanager
def full_disk(after: int) -> Iterator[None]:
    """Let no file grow beyond some bytes, which looks like the end of the disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (after, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def running_host() -> Iterator[Host]:
    with Host() as host:
        thread = threading.Thread(target=host.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield host
        finally:
            host.go_on.set()
            host.shutdown()
            thread.join()


def download(address: str, file: str, content: bytes, **more: Any) -> Download:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return Download(address, file, len(content), digest, **more)


class Heard:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int, int]] = []
        self.sentences: list[str] = []
        self.open = 0

    def begin(self, title: str, total: int) -> None:
        self.stages.append((title, total, 0))
        self.open += 1

    def advance(self, steps: int = 1) -> None:
        title, total, done = self.stages[-1]
        self.stages[-1] = (title, total, done + steps)

    def say(self, sentence: str) -> None:
        self.sentences.append(sentence)

    def end(self) -> None:
        self.open -= 1
