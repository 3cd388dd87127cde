"""Parts that two want to write at once; the rest is shown by whole transfers."""

from __future__ import annotations

import threading
from pathlib import Path

from marble_eval.data.downloads.partial_file import Version, bytes_here, held_file
from marble_eval.progress import Silence
from tests.data.downloads.host import Heard, download

VERSION = Version("http://127.0.0.1/a", "sha256:0", '"first"', 10)


def test_who_waited_for_a_part_that_was_removed_begins_a_new_one(tmp_path: Path) -> None:
    """Otherwise it would write to a file that has no name any more."""
    target, waiting, written = tmp_path / "a", threading.Event(), []

    class Waiter(Heard):
        def say(self, sentence: str) -> None:
            waiting.set()

    def write() -> None:
        with held_file(target, Waiter()) as part:
            part.begin(VERSION)
            part.append(b"second")
            written.append(part.path.read_bytes())

    second = threading.Thread(target=write)
    with held_file(target, Silence()) as part:
        part.begin(VERSION)
        part.append(b"first")
        second.start()
        assert waiting.wait(10)
        part.discard()
    second.join()
    assert written == [b"second"]


def test_nothing_is_left_of_a_part_that_nothing_came_of(tmp_path: Path) -> None:
    with held_file(tmp_path / "a", Silence()) as part:
        part.begin(VERSION)
    assert list(tmp_path.iterdir()) == []


def test_a_part_remembers_what_it_is_a_part_of(tmp_path: Path) -> None:
    wanted = download(VERSION.address, "a", b"whole")
    version = VERSION._replace(digest=wanted.digest)
    with held_file(tmp_path / "a", Silence()) as part:
        part.begin(version)
        part.append(b"wh")
    with held_file(tmp_path / "a", Silence()) as part:
        assert (part.version, part.size) == (version, 2)
    assert bytes_here(tmp_path / "a", wanted) == 2
    assert bytes_here(tmp_path / "b", wanted) == 0
    assert bytes_here(tmp_path / "a", download("http://127.0.0.1/b", "a", b"whole")) == 0
    (tmp_path / "a.part").unlink()
    assert bytes_here(tmp_path / "a", wanted) == 0
