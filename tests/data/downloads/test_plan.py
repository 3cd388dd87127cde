"""What is told before anything is fetched, by a look at the disk alone."""

from __future__ import annotations

import dataclasses
import json
import shutil
import socket
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from marble_eval.data.downloads import Plan, carry_out, survey
from marble_eval.data.downloads.plan import Item
from marble_eval.errors import SpecError
from marble_eval.progress import Silence
from marble_eval.spec import Download
from tests.data.downloads.host import Host
from tests.data.downloads.test_archives import FILES, write
from tests.data.downloads.test_transfer import CONTENT, refused, stop_after

GB = 10**9


def archive(name: str, size: int | None, **more: Any) -> Download:
    return Download(f"https://example.org/{name}", name, size, f"md5:{'0' * 32}", "zip", **more)


def plan_of(*items: tuple[Download, str, int], keep: bool = True) -> Plan:
    made = (Item(download, Path(download.file), state, here) for download, state, here in items)  # type: ignore[arg-type]
    return Plan(Path("/data/mtt"), tuple(made), 10 * GB, keep)


def test_the_states_are_told_from_the_disk(host: Host, tmp_path: Path) -> None:
    there, partly, absent, mine = (host.publish(name, CONTENT) for name in ("a", "b", "c", "d"))
    carry_out(survey([there], tmp_path), Silence())
    stop_after(host, partly, tmp_path / "b", 2_000_000)
    (tmp_path / "d").write_bytes(CONTENT)
    plan = survey([there, partly, absent, mine], tmp_path)
    assert [(each.state, each.here_bytes, each.missing_bytes) for each in plan.items] == [
        ("here", 3_000_000, 0),
        ("partial", 2_000_000, 1_000_000),
        ("to fetch", 0, 3_000_000),
        ("to check", 3_000_000, 0),
    ]
    assert (plan.missing_bytes, plan.needed_bytes, plan.is_done) == (4_000_000, 4_000_000, False)
    assert host.requests == []


def test_a_survey_opens_no_socket_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*arguments: Any) -> None:
        raise AssertionError("a socket was opened")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)
    plan = survey([archive("a.zip", GB), Download("hf://datasets/m-a-p/EMO")], tmp_path / "new")
    assert [each.state for each in plan.items] == ["to fetch", "to fetch"]
    assert list(tmp_path.iterdir()) == []
    assert plan.free_bytes == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.1)


def test_a_file_that_changed_since_is_checked_again(host: Host, tmp_path: Path) -> None:
    wanted = host.publish("a", CONTENT)
    carry_out(survey([wanted], tmp_path), Silence())
    assert survey([wanted], tmp_path).is_done
    other = dataclasses.replace(wanted, digest=f"sha256:{'0' * 64}")
    assert [each.state for each in survey([other], tmp_path).items] == ["to check"]
    (tmp_path / "a").write_bytes(CONTENT[::-1])
    assert [each.state for each in survey([wanted], tmp_path).items] == ["to check"]


def test_a_damaged_note_counts_as_none(host: Host, tmp_path: Path) -> None:
    wanted = host.publish("a", CONTENT)
    carry_out(survey([wanted], tmp_path), Silence())
    (note,) = (tmp_path / ".downloads").glob("*.json")
    for damaged in (b"", b"[]", b"\xff", b'{"name": "b"}'):
        note.write_bytes(damaged)
        assert [each.state for each in survey([wanted], tmp_path).items] == ["to check"]


def test_the_room_for_unpacking_is_counted() -> None:
    # 4 GB to come, and about 4 GB unpacked from it
    assert plan_of((archive("a.zip", 4 * GB), "to fetch", 0)).needed_bytes == 8 * GB
    # 1 GB to come, and 4 GB unpacked
    assert plan_of((archive("a.zip", 4 * GB), "partial", 3 * GB)).needed_bytes == 5 * GB
    assert plan_of((archive("a.zip", 4 * GB), "to unpack", 4 * GB)).needed_bytes == 4 * GB
    assert plan_of((archive("a.zip", 4 * GB), "here", 4 * GB)).needed_bytes == 0
    assert plan_of((archive("a.zip", None), "to fetch", 0)).needed_bytes == 0


def test_archives_that_do_not_stay_need_less_room() -> None:
    three = [(archive(f"{name}.tar", 4 * GB), "to fetch", 0) for name in "abc"]
    assert plan_of(*three).needed_bytes == 24 * GB
    # two are unpacked, and the third is there twice for a moment
    assert plan_of(*three, keep=False).needed_bytes == (4 + 4 + 8) * GB


def test_parts_are_joined_which_needs_room_too() -> None:
    parts = [(archive(f"mp3.zip.{at:03d}", GB), "to fetch", 0) for at in (1, 2, 3)]
    # 3 GB of parts, 3 GB joined, 3 GB unpacked
    assert plan_of(*parts).needed_bytes == 9 * GB


def test_the_text_names_sizes_states_and_addresses() -> None:
    plan = plan_of(
        (archive("a.zip", 2_077_243_579), "partial", 77_243_579),
        (archive("b.zip", 4_000), "here", 4_000),
        (archive("c.zip", None), "to fetch", 0),
        (Download("hf://datasets/m-a-p/EMO", revision="a" * 40), "to fetch", 0),
    )
    assert plan.text().splitlines() == [
        "a.zip: 77.2 MB of it here; 2.1 GB, https://example.org/a.zip",
        "b.zip: here; 4.0 kB, https://example.org/b.zip",
        "c.zip: to fetch; size not known, https://example.org/c.zip",
        "/data/mtt: to fetch; size not known, hf://datasets/m-a-p/EMO",
        "to fetch: 2.0 GB and 2 of a size that is not known",
        "needs at least 4.1 GB, /data/mtt has 10.0 GB free",
    ]


def test_the_text_of_what_is_not_known_or_done_is_plain() -> None:
    emo = Download("hf://datasets/m-a-p/EMO")
    assert plan_of((emo, "to fetch", 0)).text().splitlines()[1:] == [
        "to fetch: 1 of a size that is not known",
        "/data/mtt has 10.0 GB free",
    ]
    assert plan_of((emo, "here", 0)).text().splitlines()[1] == "to fetch: 0 bytes"


def test_a_long_text_says_what_it_leaves_out() -> None:
    many = [
        (Download(f"https://example.org/{at}", f"{at}.mp3", GB, f"md5:{'0' * 32}"), "to fetch", 0)
        for at in range(604)
    ]
    lines = plan_of(*many).text().splitlines()
    assert len(lines) == 23
    assert lines[20:22] == ["and 584 more, 584.0 GB of them to fetch", "to fetch: 604.0 GB"]


def test_the_facts_are_plain_data() -> None:
    plan = plan_of((archive("a.zip", 4 * GB), "partial", 3 * GB))
    assert json.loads(json.dumps(plan.facts())) == {
        "root": "/data/mtt",
        "items": [
            {
                "address": "https://example.org/a.zip",
                "path": "a.zip",
                "state": "partial",
                "bytes": 4 * GB,
                "here_bytes": 3 * GB,
                "version": f"md5:{'0' * 32}",
            }
        ],
        "missing_bytes": GB,
        "needed_bytes": 5 * GB,
        "free_bytes": 10 * GB,
        "keep_archives": True,
    }


def test_cards_that_contradict_themselves_are_refused(tmp_path: Path) -> None:
    one, two, three = (archive(f"mp3.zip.{at:03d}", GB) for at in (1, 2, 3))
    assert [len(each) for each in survey([three, one, two], tmp_path).groups] == [3]
    with refused(SpecError, "'downloads' must have different names. Got mp3.zip.001 2 times."):
        survey([one, two, one], tmp_path)
    for some in ([one, three], [two, three], [two]):
        with refused(SpecError, "must have every part of mp3.zip, from .001 on. Got mp3.zip.00"):
            survey(some, tmp_path)
    with refused(SpecError, "must say the same of every part of mp3.zip."):
        survey([one, archive("mp3.zip.002", GB, into="audio")], tmp_path)
    plain = Download("https://example.org/a.001", "a.001", 1, f"md5:{'0' * 32}")
    assert [len(each) for each in survey([plain], tmp_path).groups] == [1]


def test_free_room_is_that_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    asked = []

    def disk_usage(path: Path) -> object:
        asked.append(path)
        return usage(9, 2, 7)

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    assert survey([], tmp_path / "not" / "there").free_bytes == 7
    assert asked == [tmp_path]


def test_unpacked_files_that_went_missing_are_noticed(host: Host, tmp_path: Path) -> None:
    content = write(tmp_path / "made.zip", FILES).read_bytes()
    wanted = dataclasses.replace(host.publish("a.zip", content), unpack="zip", into="data")
    root = tmp_path / "root"
    carry_out(survey([wanted], root), Silence())
    assert survey([wanted], root).is_done
    (root / "data" / "FULL" / "male1" / "a.wav").unlink()
    assert [each.state for each in survey([wanted], root).items] == ["to unpack"]
    shutil.rmtree(root / "data")
    (root / "a.zip").unlink()
    assert [each.state for each in survey([wanted], root).items] == ["to fetch"]
    elsewhere = dataclasses.replace(wanted, into=".")
    assert [each.state for each in survey([elsewhere], root).items] == ["to fetch"]
