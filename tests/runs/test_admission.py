"""What an encoder passes before a run keeps its features, or uses those that are cached."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from marble_eval.errors import MarbleError, ValidationError
from marble_eval.files.home import home_folder
from marble_eval.progress import Silence
from marble_eval.runs.admission import admit
from marble_eval.runs.encoding import encode_tracks
from tests.conftest import write_click_task, write_small_task
from tests.runs.test_encoding import Weighted, _prepared

if TYPE_CHECKING:
    import torch


@pytest.fixture(scope="module")
def _tasks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tasks")
    return {"pooled": write_small_task(folder), "frames": write_click_task(folder)}


@pytest.fixture(params=["pooled", "frames"])
def task(request: pytest.FixtureRequest, _tasks: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(_tasks[request.param], tmp_path / "task"))


class Stale(Weighted):
    """Takes its fingerprint once, as weights change in place."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = self.weights.clone()
        self.taken = super().fingerprint()

    def fingerprint(self) -> str:
        return self.taken


class Garbage(Weighted):
    """Reads what nobody wrote: other numbers at each call."""

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        return super().hidden_states(audio) * (1 + self.clips)


def test_a_network_changed_under_its_fingerprint_stops_the_run(task: Path) -> None:
    encoder = Stale()
    encode_tracks(_prepared(task, encoder), Silence())
    admit(_prepared(task, encoder), Silence())  # unchanged: what is cached is its own

    encoder.weights[1] *= 1.05
    with pytest.raises(MarbleError, match=r"must give what is cached .* fingerprint\(\) must"):
        admit(_prepared(task, encoder), Silence())


def test_a_network_changed_with_its_fingerprint_is_encoded_anew(task: Path) -> None:
    encoder = Weighted()
    encode_tracks(_prepared(task, encoder), Silence())
    encoder.weights = encoder.weights * 1.05
    prepared = _prepared(task, encoder)
    admit(prepared, Silence())
    assert encode_tracks(prepared, Silence()).clips_encoded > 0


def test_an_encoder_that_breaks_a_rule_is_stopped_before_anything_is_kept(task: Path) -> None:
    prepared = _prepared(task, Garbage())
    with pytest.raises(ValidationError, match=r"determinism: the same audio must give") as caught:
        admit(prepared, Silence())
    assert caught.value.exit_code == 4
    assert not list((home_folder() / "checked_encoders").glob("*"))


def test_a_sound_encoder_is_tried_once(task: Path) -> None:
    first, again = Weighted(), Weighted()
    for each in (first, again):
        admit(_prepared(task, each), Silence())
    assert first.clips > 0
    assert again.clips == 0
