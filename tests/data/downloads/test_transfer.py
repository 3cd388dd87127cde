"""Files fetched from a real server on this machine, which is good and bad on demand.

Which bytes were asked for is read from the server, not from the code that asks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from marble_eval.data.downloads import partial_file, transfer
from marble_eval.data.downloads.transfer import fetch
from marble_eval.errors import MarbleError, MissingError, ValidationError
from marble_eval.progress import Silence
from marble_eval.spec import Download
from tests.data.downloads.host import Heard, Host, Trouble, download, full_disk

CONTENT = random.Random(0).randbytes(3_000_000)
ROOT = Path(__file__).parents[3]


@contextlib.contextmanager
def refused(error: type[Exception], *parts: object) -> Iterator[None]:
    with pytest.raises(error) as caught:
        yield
    for each in parts:
        assert str(each) in str(caught.value)


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def stop_after(host: Host, wanted: Download, target: Path, count: int) -> None:
    """Leave a part of so many bytes, as a lost connection and an impatient user would."""
    host.troubles = [Trouble(after=count), *[Trouble(status=403)]]
    with pytest.raises(MissingError):
        fetch(wanted, target, Silence())
    host.requests.clear()


def test_a_file_comes_whole_and_leaves_nothing_beside_it(host: Host, tmp_path: Path) -> None:
    wanted = host.publish("audio.zip", CONTENT)
    target = tmp_path / "new" / "folder" / "audio.zip"
    heard = Heard()
    assert fetch(wanted, target, heard) == target
    assert target.read_bytes() == CONTENT
    assert names(target.parent) == ["audio.zip"]
    assert host.ranges == [None]
    assert heard.stages == [("audio.zip (MB)", 3, 3)] and heard.open == 0
    (agent,) = host.agents
    assert agent.startswith("marble-eval/")


def test_an_empty_file_is_a_file(host: Host, tmp_path: Path) -> None:
    wanted = host.publish("empty", b"")
    assert fetch(wanted, tmp_path / "empty", Silence()).read_bytes() == b""
    assert names(tmp_path) == ["empty"]


def test_an_md5_is_a_digest_too(host: Host, tmp_path: Path) -> None:
    wanted = host.publish("a", b"content")
    right = dataclasses.replace(wanted, digest=f"md5:{hashlib.md5(b'content').hexdigest()}")
    wrong = dataclasses.replace(wanted, digest=f"md5:{hashlib.md5(b'contend').hexdigest()}")
    assert fetch(right, tmp_path / "a", Silence()).read_bytes() == b"content"
    with refused(ValidationError, f"{wrong.digest}. Got {right.digest}"):
        fetch(wrong, tmp_path / "b", Silence())


def test_a_file_that_is_there_is_checked_and_not_fetched(host: Host, tmp_path: Path) -> None:
    wanted = host.publish("a", CONTENT)
    (tmp_path / "a").write_bytes(CONTENT)
    assert fetch(wanted, tmp_path / "a", Silence()) == tmp_path / "a"
    assert host.requests == []


def test_another_file_of_that_name_is_refused_and_left_alone(host: Host, tmp_path: Path) -> None:
    wanted = host.publish("a", CONTENT)
    (tmp_path / "a").write_bytes(b"mine")
    found = hashlib.sha256(b"mine").hexdigest()
    with refused(
        ValidationError,
        f"{tmp_path / 'a'}: must be the published file, {wanted.digest}. Got sha256:{found}. "
        f"Move it away",
    ):
        fetch(wanted, tmp_path / "a", Silence())
    assert (tmp_path / "a").read_bytes() == b"mine"
    assert host.requests == []


@pytest.mark.parametrize("reset", [False, True])
def test_a_lost_connection_is_continued_from_the_byte_where_it_stopped(
    host: Host, tmp_path: Path, reset: bool
) -> None:
    wanted = host.publish("a", CONTENT)
    host.troubles = [Trouble(after=1_100_000), Trouble(after=700_000, reset=reset)]
    heard = Heard()
    target = fetch(wanted, tmp_path / "a", heard)
    assert target.read_bytes() == CONTENT
    first, second, third = host.requests
    assert (first.range, first.if_range) == (None, None)
    assert (second.range, second.if_range) == ("bytes=1100000-", '"first"')
    assert third.range is not None and third.if_range == '"first"'
    stopped = int(third.range.removeprefix("bytes=").removesuffix("-"))
    assert stopped == 1_800_000 or (reset and 1_100_000 <= stopped <= 1_800_000)
    assert heard.sentences[0].startswith("a: the connection ended after 1100000 of 3000000 bytes.")
    assert heard.open == 0
    assert names(tmp_path) == ["a"]


def test_a_part_left_by_an_earlier_run_is_continued(host: Host, tmp_path: Path) -> None:
    wanted = host.publish("a", CONTENT)
    stop_after(host, wanted, tmp_path / "a", 2_000_000)
    assert names(tmp_path) == ["a.part", "a.part.json"]
    assert (tmp_path / "a.part").read_bytes() == CONTENT[:2_000_000]
    assert partial_file.bytes_here(tmp_path / "a", wanted) == 2_000_000
    assert fetch(wanted, tmp_path / "a", Silence()).read_bytes() == CONTENT
    assert host.ranges == ["bytes=2000000-"]


def test_a_server_that_ignores_range_is_not_appended_to(host: Host, tmp_path: Path) -> None:
    wanted = host.publish("a", CONTENT, honours_range=False)
    stop_after(host, wanted, tmp_path / "a", 2_000_000)
    heard = Heard()
    assert fetch(wanted, tmp_path / "a", heard).read_bytes() == CONTENT
    assert host.ranges == ["bytes=2000000-"]
    assert heard.sentences == ["a: the server sends it from the beginning."]


def test_a_server_that_ignores_range_and_always_stops_half_way_is_given_up(
    host: Host, tmp_path: Path
) -> None:
    wanted = host.publish("a", CONTENT, honours_range=False)
    host.troubles = [Trouble(after=2_000_000) for _ in range(50)]
    with refused(
        MissingError,
        f"{wanted.address}: cannot be fetched: the connection ended after 2000000 of 3000000",
        "after 8 tries. 2.0 MB are kept",
        f"put it at {tmp_path / 'a'}",
    ):
        fetch(wanted, tmp_path / "a", Silence())
    assert len(host.requests) == 8


def test_a_slow_host_that_stops_often_gets_there(host: Host, tmp_path: Path) -> None:
    content = random.Random(1).randbytes(20 << 20)
    wanted = host.publish("a", content)
    host.troubles = [Trouble(after=(1 << 20) + 1) for _ in range(19)]
    assert fetch(wanted, tmp_path / "a", Silence()).read_bytes() == content
    assert len(host.requests) == 20


def test_a_part_of_another_version_is_not_continued(host: Host, tmp_path: Path) -> None:
    old = host.publish("a", CONTENT)
    stop_after(host, old, tmp_path / "a", 2_000_000)
    newer = CONTENT[:1_000_000] + b"changed" + CONTENT[1_000_007:]
    new = host.publish("a", newer, tag='"second"')
    # The card has the new digest: the part is of no use, and is not even asked to continue.
    assert fetch(new, tmp_path / "a", Silence()).read_bytes() == newer
    assert host.ranges == [None]


def test_a_file_that_changes_between_two_tries_is_fetched_from_the_beginning(
    host: Host, tmp_path: Path
) -> None:
    """The server was behind: it published another file before it published the right one."""
    wanted = host.publish("a", CONTENT, tag='"second"')
    host.publish("a", bytes(3_000_000))
    stop_after(host, wanted, tmp_path / "a", 2_000_000)
    host.publish("a", CONTENT, tag='"second"')
    assert fetch(wanted, tmp_path / "a", Silence()).read_bytes() == CONTENT
    assert [(each.range, each.if_range) for each in host.requests] == [
        ("bytes=2000000-", '"first"')
    ]


def test_a_server_that_ignores_if_range_is_seen_through(host: Host, tmp_path: Path) -> None:
    wanted = host.publish("a", CONTENT, tag='"second"')
    host.publish("a", bytes(3_000_000))
    stop_after(host, wanted, tmp_path / "a", 2_000_000)
    host.publish("a", CONTENT, tag='"second"', honours_condition=False)
    heard = Heard()
    assert fetch(wanted, tmp_path / "a", heard).read_bytes() == CONTENT
    assert host.ranges == ["bytes=2000000-", None]
    assert heard.sentences[0].startswith("a: another version is published by now")


def test_a_range_that_starts_elsewhere_is_not_appended(host: Host, tmp_path: Path) -> None:
    wanted = host.publish("a", CONTENT, starts_early=1000)
    stop_after(host, wanted, tmp_path / "a", 2_000_000)
    assert fetch(wanted, tmp_path / "a", Silence()).read_bytes() == CONTENT
    assert host.ranges == ["bytes=2000000-", None]


def test_the_length_is_remembered_where_a_range_does_not_tell_it(
    host: Host, tmp_path: Path
) -> None:
    wanted = host.publish("a", CONTENT, tells_total=False)
    stop_after(host, wanted, tmp_path / "a", 1_000_000)
    host.troubles = [Trouble(after=1_500_000)]
    assert fetch(wanted, tmp_path / "a", Silence()).read_bytes() == CONTENT
    assert host.ranges == ["bytes=1000000-", "bytes=2500000-"]


def test_a_date_marks_a_version_where_the_tag_is_weak_or_missing(
    host: Host, tmp_path: Path
) -> None:
    for tag in ('W/"first"', ""):
        target = tmp_path / f"a{len(tag)}"
        wanted = host.publish("a", CONTENT, tag=tag, changed="Tue, 01 Jan 2019 00:00:00 GMT")
        stop_after(host, wanted, target, 2_000_000)
        assert fetch(wanted, target, Silence()).read_bytes() == CONTENT
        (request,) = host.requests
        assert (request.range, request.if_range) == (
            "bytes=2000000-",
            "Tue, 01 Jan 2019 00:00:00 GMT",
        )
        host.requests.clear()


def test_without_any_mark_a_part_is_continued_and_the_digest_decides(
    host: Host, tmp_path: Path
) -> None:
    wanted = host.publish("a", CONTENT, tag="")
    stop_after(host, wanted, tmp_path / "a", 2_000_000)
    host.publish("a", bytes(3_000_000), tag="")
    with refused(ValidationError, "it was removed. Run it again to fetch it from the beginning"):
        fetch(wanted, tmp_path / "a", Silence())
    assert names(tmp_path) == []
    host.publish("a", CONTENT, tag="")
    assert fetch(wanted, tmp_path / "a", Silence()).read_bytes() == CONTENT


def test_without_any_mark_another_length_shows_another_version(host: Host, tmp_path: Path) -> None:
    wanted = host.publish("a", CONTENT, tag="")
    host.publish("a", bytes(2_500_000), tag="")
    stop_after(host, wanted, tmp_path / "a", 2_000_000)
    host.publish("a", CONTENT, tag="")
    assert fetch(wanted, tmp_path / "a", Silence()).read_bytes() == CONTENT
    assert host.ranges == ["bytes=2000000-", None]


def test_a_part_that_nothing_is_known_of_is_not_continued(host: Host, tmp_path: Path) -> None:
    wanted = host.publish("a", CONTENT)
    for about in (None, "", "{}", "[1]", '{"address": 1, "digest": 2, "mark": 3, "total": 4}'):
        (tmp_path / "a.part").write_bytes(bytes(1000))
        if about is not None:
            (tmp_path / "a.part.json").write_text(about)
        assert partial_file.bytes_here(tmp_path / "a", wanted) == 0
        assert fetch(wanted, tmp_path / "a", Silence()).read_bytes() == CONTENT
        (tmp_path / "a").unlink()
    assert set(host.ranges) == {None}


def test_a_part_that_is_the_whole_is_taken(host: Host, tmp_path: Path) -> None:
    """Killed after the last byte: the server says 416, and how long the file is."""
    wanted = host.publish("a", CONTENT)
    stop_after(host, wanted, tmp_path / "a", 2_000_000)
    (tmp_path / "a.part").write_bytes(CONTENT)
    assert fetch(wanted, tmp_path / "a", Silence()).read_bytes() == CONTENT
    assert host.ranges == ["bytes=3000000-"]


def test_a_part_that_is_too_long_is_forgotten(host: Host, tmp_path: Path) -> None:
    wanted = host.publish("a", CONTENT)
    stop_after(host, wanted, tmp_path / "a", 2_000_000)
    (tmp_path / "a.part").write_bytes(CONTENT + b"more")
    assert fetch(wanted, tmp_path / "a", Silence()).read_bytes() == CONTENT
    assert host.ranges == ["bytes=3000004-", None]


def test_a_wrong_file_is_removed_and_told(host: Host, tmp_path: Path) -> None:
    wanted = host.publish("a", CONTENT)
    host.publish("a", CONTENT[:-1] + b"?")
    found = hashlib.sha256(CONTENT[:-1] + b"?").hexdigest()
    with refused(
        ValidationError,
        f"{wanted.address}: must be the published file, {wanted.digest}. Got sha256:{found}; it "
        f"was removed. Run it again",
    ):
        fetch(wanted, tmp_path / "a", Silence())
    assert names(tmp_path) == []


def test_a_login_page_is_told_as_what_it_is(host: Host, tmp_path: Path) -> None:
    wanted = host.publish("a", CONTENT)
    host.publish("a", b"\n<!DOCTYPE html><html>Please log in to the Wi-Fi</html>")
    with refused(ValidationError, "Got a web page, sha256:"):
        fetch(wanted, tmp_path / "a", Silence())


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418])
def test_a_final_answer_is_told_at_once(host: Host, tmp_path: Path, status: int) -> None:
    wanted = host.publish("a", CONTENT)
    host.troubles = [Trouble(status=status)]
    with refused(
        MissingError,
        f"{wanted.address}: cannot be fetched: HTTP {status} ",
        f"If you can get it otherwise, put it at {tmp_path / 'a'}; from {wanted.address}.",
    ):
        fetch(wanted, tmp_path / "a", Silence())
    assert len(host.requests) == 1
    assert names(tmp_path) == []


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_trouble_is_waited_for(host: Host, tmp_path: Path, status: int) -> None:
    wanted = host.publish("a", CONTENT)
    host.troubles = [Trouble(status=status), Trouble(status=status)]
    heard = Heard()
    assert fetch(wanted, tmp_path / "a", heard).read_bytes() == CONTENT
    assert len(host.requests) == 3
    assert len(heard.sentences) == 2
    assert all(each.startswith(f"a: HTTP {status} ") for each in heard.sentences)


def test_a_trouble_that_does_not_pass_is_told(host: Host, tmp_path: Path) -> None:
    wanted = host.publish("a", CONTENT)
    host.troubles = [Trouble(status=503) for _ in range(50)]
    with refused(MissingError, "cannot be fetched: HTTP 503 Service Unavailable, after 8 tries."):
        fetch(wanted, tmp_path / "a", Silence())
    assert len(host.requests) == 8
    assert names(tmp_path) == []


def test_the_pauses_grow_and_heed_the_server(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(transfer, "_PAUSES", (1.0, 2.0, 4.0))
    monkeypatch.setattr(time, "sleep", slept.append)
    wanted = host.publish("a", CONTENT)
    host.troubles = [
        Trouble(status=503),
        Trouble(status=429, headers={"Retry-After": "30"}),
        Trouble(status=429, headers={"Retry-After": "86400"}),
    ]
    fetch(wanted, tmp_path / "a", Silence())
    assert slept == [1.0, 30.0, 120.0]


def test_redirects_are_followed_and_keep_the_range(host: Host, tmp_path: Path) -> None:
    real = host.publish("real/file", CONTENT)
    wanted = host.publish("a", CONTENT, moved_to=real.address)
    host.troubles = [Trouble(), Trouble(after=2_000_000)]
    assert fetch(wanted, tmp_path / "a", Silence()).read_bytes() == CONTENT
    assert [(each.path, each.range) for each in host.requests] == [
        ("/a", None),
        ("/real/file", None),
        ("/a", "bytes=2000000-"),
        ("/real/file", "bytes=2000000-"),
    ]


def test_a_circle_of_redirects_is_told_in_one_line(host: Host, tmp_path: Path) -> None:
    wanted = host.publish("a", CONTENT, moved_to=host.address("a"))
    with pytest.raises(MissingError) as caught:
        fetch(wanted, tmp_path / "a", Silence())
    assert "infinite loop" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("elsewhere", ["file:///etc/passwd", "gopher://127.0.0.1/"])
def test_a_redirect_out_of_http_is_refused(host: Host, tmp_path: Path, elsewhere: str) -> None:
    wanted = host.publish("a", CONTENT, moved_to=elsewhere)
    with refused(MissingError, "is not allowed"):
        fetch(wanted, tmp_path / "a", Silence())


def test_a_server_that_does_not_tell_the_length_is_taken_at_its_word(
    host: Host, tmp_path: Path
) -> None:
    wanted = host.publish("a", CONTENT, tells_length=False)
    assert fetch(wanted, tmp_path / "a", Silence()).read_bytes() == CONTENT
    host.troubles = [Trouble(after=2_000_000)]
    with refused(ValidationError, "it was removed"):
        fetch(wanted, tmp_path / "b", Silence())


def test_a_server_that_falls_silent_is_left_and_asked_again(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "_TIMEOUT", 0.3)
    wanted = host.publish("a", CONTENT)
    host.troubles = [Trouble(after=1_000_000, silent=True)]
    heard = Heard()
    assert fetch(wanted, tmp_path / "a", heard).read_bytes() == CONTENT
    assert host.ranges == [None, "bytes=1000000-"]
    assert heard.sentences[0].startswith("a: timed out.")


def test_no_server_at_all_is_told_after_a_few_tries(host: Host, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # taken, and nobody listens
        wanted = download(f"http://127.0.0.1:{unused.getsockname()[1]}/a", "a", CONTENT)
        heard = Heard()
        with refused(
            MissingError, f"{wanted.address}: cannot be fetched: ", "refused, after 4 tries. If you"
        ):
            fetch(wanted, tmp_path / "a", heard)
    assert len(heard.sentences) == 3
    assert names(tmp_path) == []


@pytest.mark.parametrize("address", ["http://127.0.0.1:x/a", "http://[::1/a", "https:///a"])
def test_an_address_that_is_none_is_told(host: Host, tmp_path: Path, address: str) -> None:
    with refused(MissingError, f"{address}: cannot be fetched: "):
        fetch(download(address, "a", CONTENT), tmp_path / "a", Silence())


def test_a_host_that_cannot_prove_itself_is_told_at_once(host: Host, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1".split()
    subject = ["-subj", "/CN=127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([openssl, *made, *subject], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    host.socket = context.wrap_socket(host.socket, server_side=True)
    wanted = download(host.address("a").replace("http:", "https:"), "a", CONTENT)
    heard = Heard()
    with refused(MissingError, "CERTIFICATE_VERIFY_FAILED"):
        fetch(wanted, tmp_path / "data" / "a", heard)
    assert heard.sentences == []


@pytest.mark.parametrize("switch", ["1", "true", "YES", "On"])
def test_offline_opens_no_socket(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, switch: str
) -> None:
    def connect(*arguments: Any) -> None:
        raise AssertionError("a socket was opened")

    wanted = host.publish("a", CONTENT)
    monkeypatch.setenv("HF_HUB_OFFLINE", switch)
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)
    with refused(
        MissingError, f"{tmp_path / 'a'}: is not here, and HF_HUB_OFFLINE forbids fetching it."
    ):
        fetch(wanted, tmp_path / "a", Silence())
    assert names(tmp_path) == []
    (tmp_path / "a").write_bytes(CONTENT)
    assert fetch(wanted, tmp_path / "a", Silence()) == tmp_path / "a"


def test_the_proxy_of_the_environment_is_asked(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", host.address(""))
    monkeypatch.delenv("no_proxy", raising=False)
    host.publish("a", CONTENT)
    address = "http://published.invalid/a"  # a proxy is asked for whole addresses
    host.files[address] = host.files["/a"]
    fetch(download(address, "a", CONTENT), tmp_path / "a", Silence())
    assert [each.path for each in host.requests] == [address]


def test_a_file_that_the_disk_cannot_hold_is_refused_before_it_comes(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = host.publish("a", CONTENT)
    stop_after(host, wanted, tmp_path / "a", 2_000_000)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=900_000))
    with refused(
        MarbleError, f"{tmp_path}: must have 1.0 MB free for the rest of a. Got 900.0 kB. Make"
    ):
        fetch(wanted, tmp_path / "a", Silence())
    assert (tmp_path / "a.part").stat().st_size == 2_000_000
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1_000_000))
    assert fetch(wanted, tmp_path / "a", Silence()).read_bytes() == CONTENT


def test_a_folder_that_cannot_be_written_is_told(host: Host, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    wanted = host.publish("a", CONTENT)
    with refused(MarbleError, f"{tmp_path / 'file'}", "cannot be written: "):
        fetch(wanted, tmp_path / "file" / "a", Silence())
    (tmp_path / "a").mkdir()
    with refused(MarbleError, f"{tmp_path / 'a'}: cannot be written: Is a directory"):
        fetch(wanted, tmp_path / "a", Silence())
    assert host.requests == []


FETCH = """
import json, sys
from pathlib import Path
from marble_eval.data.downloads.transfer import fetch
from marble_eval.progress import Silence
from marble_eval.spec import Download

class Aloud(Silence):
    def say(self, sentence):
        print(sentence, flush=True)

print("ready", flush=True)
sys.stdin.readline()
fetch(Download(**json.loads(sys.argv[1])), Path(sys.argv[2]), Aloud())
"""


def start(wanted: Download, target: Path) -> subprocess.Popen[str]:
    told = json.dumps({**dataclasses.asdict(wanted), "patterns": []})
    process = subprocess.Popen(
        [sys.executable, "-c", FETCH, told, str(target)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def say_go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def wait_for_part(target: Path, size: int) -> None:
    for _ in range(1000):
        found = target.with_name(f"{target.name}.part")
        if found.exists() and found.stat().st_size >= size:
            return
        time.sleep(0.01)
    raise AssertionError("the part did not grow")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_process_leaves_what_the_next_one_continues(
    host: Host, tmp_path: Path, how: signal.Signals
) -> None:
    wanted = host.publish("a", CONTENT)
    host.troubles = [Trouble(after=2_000_000, silent=True)]
    process = start(wanted, tmp_path / "a")
    say_go(process)
    wait_for_part(tmp_path / "a", 2_000_000)
    os.kill(process.pid, how)
    process.communicate()
    assert process.returncode == -how
    assert names(tmp_path) == ["a.part", "a.part.json"]
    assert fetch(wanted, tmp_path / "a", Silence()).read_bytes() == CONTENT
    assert host.ranges == [None, "bytes=2000000-"]


def test_two_processes_at_once_fetch_once(host: Host, tmp_path: Path) -> None:
    wanted = host.publish("a", CONTENT)
    host.troubles = [Trouble(after=2_000_000, silent=True)]
    first, second = (start(wanted, tmp_path / "a") for _ in "ab")
    say_go(first)
    wait_for_part(tmp_path / "a", 2_000_000)
    say_go(second)
    assert second.stdout is not None
    assert second.stdout.readline() == (
        f"{tmp_path / 'a.part'}: another process is fetching it. Waiting for that.\n"
    )
    host.go_on.set()
    told = [each.communicate()[0] for each in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0]
    assert told[0].startswith("a: the connection ended after 2000000") and told[1] == ""
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert names(tmp_path) == ["a"]
    assert host.ranges == [None, "bytes=2000000-"]


def test_a_disk_that_fills_up_is_told_and_nothing_is_lost(host: Host, tmp_path: Path) -> None:
    wanted = host.publish("a", CONTENT)
    with (
        full_disk(1_500_000),
        refused(
            MarbleError,
            f"{tmp_path}: cannot be written: File too large. What has come is kept, and the same "
            f"command goes on with it. Make room, or name a folder that can be written.",
        ),
    ):
        fetch(wanted, tmp_path / "a", Silence())
    assert (tmp_path / "a.part").read_bytes() == CONTENT[:1_500_000]
    host.requests.clear()
    assert fetch(wanted, tmp_path / "a", Silence()).read_bytes() == CONTENT
    assert host.ranges == ["bytes=1500000-"]
