"""Whole downloads, as a task card asks for them, from a server on this machine."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from marble_eval.data.downloads import Outcome, carry_out, survey
from marble_eval.errors import MarbleError, MissingError, ValidationError
from marble_eval.progress import Silence
from marble_eval.spec import Download, from_mapping
from tests.data.downloads.host import Heard, Host, Trouble, running_host
from tests.data.downloads.test_archives import add, found, write
from tests.data.downloads.test_hub import FILES as HUB_FILES
from tests.data.downloads.test_hub import NEW, REPOSITORY, Hub, hub
from tests.data.downloads.test_transfer import names, refused

__all__ = ["hub"]  # a fixture

FILES = {"FULL/female1/a.wav": os.urandom(30_000), "FULL/male1/a.wav": os.urandom(30_000)}
LIST = b"clip_id\tguitar\n2\t1\n"


def data(root: Path) -> dict[str, bytes]:
    """Return all but the notes."""
    return {name: each for name, each in found(root).items() if not name.startswith(".downloads/")}


@pytest.fixture
def published(host: Host, tmp_path: Path) -> list[Download]:
    """A zip, a tar that goes into a folder of its own, and a table."""
    packed = write(tmp_path / "made.zip", FILES).read_bytes()
    more = write(tmp_path / "made.tar.gz", {"examples.json": b"{}"}).read_bytes()
    return [
        dataclasses.replace(host.publish("VocalSet.zip", packed), unpack="zip"),
        dataclasses.replace(host.publish("n.tar.gz", more), unpack="tar", into="nsynth/test"),
        host.publish("annotations_final.csv", LIST),
    ]


UNPACKED = {**FILES, "nsynth/test/examples.json": b"{}", "annotations_final.csv": LIST}


def test_everything_is_fetched_checked_and_unpacked(
    host: Host, published: list[Download], tmp_path: Path
) -> None:
    root, heard = tmp_path / "data", Heard()
    outcomes = carry_out(survey(published, root), heard)
    assert outcomes == tuple(Outcome(each.address, each.digest) for each in published)
    archives = {name: host.files[f"/{name}"].content for name in ("VocalSet.zip", "n.tar.gz")}
    assert data(root) == {**UNPACKED, **archives}
    assert survey(published, root).is_done
    assert heard.open == 0
    assert [each.range for each in host.requests] == [None] * 3


def test_a_second_time_nothing_is_done(
    host: Host, published: list[Download], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "data"
    first = carry_out(survey(published, root), Silence())
    host.requests.clear()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # so it is no matter that there is no network
    heard = Heard()
    assert carry_out(survey(published, root), heard) == first
    assert (host.requests, heard.stages, heard.sentences) == ([], [], [])


def test_archives_may_go_once_they_are_unpacked(
    host: Host, published: list[Download], tmp_path: Path
) -> None:
    root = tmp_path / "data"
    carry_out(survey(published, root, keep_archives=False), Silence())
    assert data(root) == UNPACKED
    assert survey(published, root).is_done
    (root / "FULL" / "male1" / "a.wav").unlink()
    host.requests.clear()
    carry_out(survey(published, root), Silence())
    assert [each.path for each in host.requests] == ["/VocalSet.zip"]
    assert {**UNPACKED, **data(root)} == data(root)


def test_what_fails_half_way_is_continued(
    host: Host, published: list[Download], tmp_path: Path
) -> None:
    root = tmp_path / "data"
    host.troubles = [Trouble(), Trouble(status=404)]
    with refused(MissingError, published[1].address, "HTTP 404"):
        carry_out(survey(published, root), Silence())
    states = [each.state for each in survey(published, root).items]
    assert states == ["here", "to fetch", "to fetch"]
    host.requests.clear()
    carry_out(survey(published, root), Silence())
    assert [each.path for each in host.requests] == ["/n.tar.gz", "/annotations_final.csv"]


def test_a_copy_of_one_s_own_is_checked_and_taken(
    host: Host, published: list[Download], tmp_path: Path
) -> None:
    root = tmp_path / "data"
    root.mkdir()
    (root / "VocalSet.zip").write_bytes(host.files["/VocalSet.zip"].content)
    (root / "annotations_final.csv").write_bytes(b"edited")
    with refused(ValidationError, f"{root / 'annotations_final.csv'}: must be the published file"):
        carry_out(survey(published, root), Silence())
    assert [each.path for each in host.requests] == ["/n.tar.gz"]
    assert (root / "annotations_final.csv").read_bytes() == b"edited"
    assert (root / "FULL" / "male1" / "a.wav").read_bytes() == FILES["FULL/male1/a.wav"]


def test_a_divided_archive_is_unpacked_as_one(host: Host, tmp_path: Path) -> None:
    content = write(tmp_path / "made.zip", FILES).read_bytes()
    cuts = [content[:25_000], content[25_000:50_000], content[50_000:]]
    parts = [
        dataclasses.replace(host.publish(f"mp3.zip.{at:03d}", each), unpack="zip", into="mp3")
        for at, each in enumerate(cuts, 1)
    ]
    root = tmp_path / "data"
    carry_out(survey(parts[::-1], root), Silence())
    assert found(root / "mp3") == FILES
    assert names(root) == [".downloads", "mp3", "mp3.zip.001", "mp3.zip.002", "mp3.zip.003"]
    assert survey(parts, root).is_done
    shutil.rmtree(root / "mp3")
    host.requests.clear()
    carry_out(survey(parts, root, keep_archives=False), Silence())
    assert host.requests == []
    assert names(root) == [".downloads", "mp3"]
    assert survey(parts, root).is_done


def test_an_archive_that_means_harm_leaves_nothing(host: Host, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "made.tar", "w") as written:
        add(written, "good.wav", b"a")
        add(written, "../../out.wav", b"b")
    content = (tmp_path / "made.tar").read_bytes()
    wanted = dataclasses.replace(host.publish("a.tar", content), unpack="tar")
    root = tmp_path / "deep" / "data"
    with refused(ValidationError, f"{root / 'a.tar'}: must hold files", "'../../out.wav'"):
        carry_out(survey([wanted], root), Silence())
    assert data(root) == {"a.tar": content}
    assert names(tmp_path) == ["deep", "made.tar"] and names(tmp_path / "deep") == ["data"]
    assert [each.state for each in survey([wanted], root).items] == ["to unpack"]


def test_too_little_room_is_told_before_anything_comes(
    host: Host, published: list[Download], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=100_000))
    root = tmp_path / "data"
    with refused(MarbleError, f"{root}: must have 120.", "Got 100.0 kB. Make room, or choose"):
        carry_out(survey(published, root), Silence())
    assert host.requests == []


def test_a_root_that_cannot_be_written_is_told(host: Host, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with refused(MarbleError, "cannot be written: "):
        carry_out(survey([host.publish("a", LIST)], tmp_path / "file" / "data"), Silence())


def test_a_repository_is_fetched_noted_and_then_left_alone(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (outcome,) = carry_out(survey([REPOSITORY], tmp_path), Silence())
    assert outcome == Outcome("hf://datasets/owner/name", f"commit:{NEW}")
    assert HUB_FILES.items() <= data(tmp_path).items()
    assert survey([REPOSITORY], tmp_path).is_done
    hub.asked.clear()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert carry_out(survey([REPOSITORY], tmp_path), Silence()) == (outcome,)
    assert hub.asked == []
    for other in (
        dataclasses.replace(REPOSITORY, revision="a" * 40),
        dataclasses.replace(REPOSITORY, patterns=("*.wav",)),
    ):
        assert not survey([other], tmp_path).is_done
    assert survey([dataclasses.replace(REPOSITORY, revision=NEW)], tmp_path).is_done
    (tmp_path / "wav" / "1.wav").unlink()
    assert not survey([REPOSITORY], tmp_path).is_done


def test_two_tasks_may_want_different_files_of_one_repository(hub: Hub, tmp_path: Path) -> None:
    sound, text = (dataclasses.replace(REPOSITORY, patterns=(each,)) for each in ("*.wav", "*.md"))
    for each in (sound, text):
        carry_out(survey([each], tmp_path), Silence())
    assert survey([sound], tmp_path).is_done and survey([text], tmp_path).is_done
    assert not survey([REPOSITORY], tmp_path).is_done


RUN = """
import sys
from pathlib import Path
from marble_eval.data.downloads import carry_out, survey
from marble_eval.progress import Silence
from tests.data.downloads.host import download

class Aloud(Silence):
    def say(self, sentence):
        print(sentence, flush=True)

content = Path(sys.argv[2]).read_bytes()
wanted = [download(sys.argv[1], "a.zip", content, unpack="zip")]
print("ready", flush=True)
sys.stdin.readline()
carry_out(survey(wanted, Path(sys.argv[3])), Aloud())
"""


def test_two_processes_work_in_a_root_one_after_the_other(tmp_path: Path) -> None:
    content = write(tmp_path / "made.zip", FILES).read_bytes()
    with running_host() as host:
        wanted = host.publish("a.zip", content)
        host.troubles = [Trouble(after=10_000, silent=True)]
        running = [
            subprocess.Popen(
                [sys.executable, "-c", RUN, wanted.address, tmp_path / "made.zip", tmp_path / "d"],
                cwd=Path(__file__).parents[3],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in "ab"
        ]
        for each in running:
            assert each.stdout is not None and each.stdout.readline() == "ready\n"
        for at, each in enumerate(running):
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()
            while at == 0 and not host.requests:
                os.sched_yield()
        waiting = running[1].stdout
        assert waiting is not None
        assert waiting.readline() == (
            f"{tmp_path / 'd'}: another process is fetching into it. Waiting for that.\n"
        )
        host.go_on.set()
        for each in running:
            each.communicate()
        assert [each.returncode for each in running] == [0, 0]
        assert host.ranges == [None, "bytes=10000-"]
    assert data(tmp_path / "d") == {**FILES, "a.zip": content}


def test_a_card_s_yaml_makes_the_same_download() -> None:
    values = {
        "address": "https://mirg.city.ac.uk/datasets/magnatagatune/mp3.zip.001",
        "file": "mp3.zip.001",
        "bytes": 1_100_000_000,
        "digest": f"sha256:{'0' * 64}",
        "unpack": "zip",
        "into": "mp3",
    }
    assert from_mapping(Download, values, "card") == Download(**values)  # type: ignore[arg-type]
