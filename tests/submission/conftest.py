"""Submissions that are built once, and copied for each test that changes one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from marble_eval.registry.cards import read_card
from marble_eval.submission import build_submission
from marble_eval.submission.submitted import InstalledTasks, Submitted, read_submitted
from tests.submission.edited_submissions import RESULT
from tests.submission.true_results import true_result


@pytest.fixture(scope="session", autouse=True)
def cards_read_once() -> Iterator[None]:
    """Keep the cards in memory: every look-up of a task reads all of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("marble_eval.registry.tasks.read_card", cache(read_card))
        yield


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a submission of one result on GTZAN."""
    root = tmp_path_factory.mktemp("submission")
    true_result(root / "results")
    build_submission(root / "built", [root / "results"], contact="Ada <ada@example.org>")
    return root / "built"


@pytest.fixture
def submission(built: Path, tmp_path: Path) -> Path:
    """Copy it, to be changed."""
    return Path(shutil.copytree(built, tmp_path / "submission"))


@pytest.fixture(scope="session")
def submitted(built: Path) -> Submitted:
    """Read its result."""
    one, found = read_submitted(built, RESULT, InstalledTasks())
    assert one is not None, found
    return one
