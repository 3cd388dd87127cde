"""Tasks and encoders by name: built-in, from other packages, and by path or target.

Other packages are real ones: a folder on the path with a package and its metadata,
as `pip install` leaves them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from marble_eval.encoders import Encoder
from marble_eval.errors import MissingError, SpecError
from marble_eval.kinds.classification import KIND, Classification
from marble_eval.registry import (
    Task,
    check_encoder,
    encoder_names,
    load_encoder,
    load_task,
    read_card,
    task_folders,
    task_names,
)
from tests.conftest import SMALL_CARD

ENCODER = """
class Level:
    name, sample_rate, frame_rate, layers, width = "level", 16000, 50.0, ["0"], 4

    def __init__(self, gain=1.0, device="cpu"):
        self.gain, self.device = gain, device

    def hidden_states(self, audio):
        return audio[:, None, None, :4] * self.gain

    def fingerprint(self):
        return f"level-{self.gain}"


def level(gain=1.0):
    return Level(gain)


def nothing():
    return object()


def broken(seconds):
    raise TypeError("inside the encoder")


NUMBER = 5
"""


class Distribution:
    """A package of somebody else's, installed into a folder of its own."""

    def __init__(self, root: Path, name: str) -> None:
        self.site = root / f"site_{name}"
        self.package = self.site / name
        self.package.mkdir(parents=True)
        (self.package / "__init__.py").write_text(ENCODER)
        self.info = self.site / f"{name}-2.5.dist-info"
        self.info.mkdir()
        (self.info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.5\n")

    def offer(self, group: str, **points: str) -> None:
        lines = "\n".join(f"{name} = {value}" for name, value in points.items())
        (self.info / "entry_points.txt").write_text(f"[{group}]\n{lines}\n")

    def add_task(self, folder: str, text: str) -> Path:
        path = self.package / "music" / folder
        path.mkdir(parents=True)
        (path / "task.yaml").write_text(text)
        (path.parent / "__init__.py").touch()
        return path


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Distribution:
    # A name for each test: Python keeps what it has imported.
    found = Distribution(tmp_path, f"other_{tmp_path.name}".replace("-", "_"))
    monkeypatch.syspath_prepend(str(found.site))
    return found


def encoded(task: Task) -> Any:
    """Encode no tracks by whatever a task.py has for it."""
    return task.track_kind.encode([], task.spec)


def own_task(root: Path, code: str | None = None, text: str = SMALL_CARD) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "task.yaml").write_text(text)
    if code is not None:
        (root / "task.py").write_text(code)
    return root


def complaint(function: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(SpecError) as caught:
        function(*arguments, **options)
    return str(caught.value)


# --- tasks ---


def test_every_folder_with_a_card_is_a_task() -> None:
    tasks = Path(__file__).parents[1] / "tasks"
    cards = [read_card(path) for path in tasks.glob("*/task.yaml")]
    assert task_names() == tuple(sorted(each.name for each in cards))


def test_a_task_has_the_functions_of_its_kind() -> None:
    task = load_task("GTZAN")
    assert task.kind is KIND
    assert task.provider.startswith("marble-eval ")


def test_an_alias_is_as_good_as_the_name() -> None:
    assert load_task("GTZANGenre").spec == load_task("GTZAN").spec


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("GTZN", "no task is called 'GTZN'. Did you mean 'GTZAN'"),
        ("GTZANGenr", "Did you mean 'GTZANGenre'"),
        ("gtzan", "Did you mean 'GTZAN'"),
        ("", "no task is called ''. Known: "),
    ],
)
def test_an_unknown_task_gets_near_misses(name: str, message: str) -> None:
    assert message in complaint(load_task, name)


@pytest.mark.parametrize("spelling", ["{}", "{}/", "{}/../small"])
def test_a_path_works_in_a_task_s_place(small_task: Path, spelling: str) -> None:
    task = load_task(spelling.format(small_task))
    assert (task.spec.name, task.provider) == ("Small", "folder")
    assert task.folder.samefile(small_task)


def test_the_folder_one_stands_in_is_a_path(
    small_task: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small_task)
    assert load_task(".").spec.name == "Small"
    monkeypatch.setenv("HOME", str(small_task.parent))
    assert load_task("~/small").spec.name == "Small"


def test_a_folder_without_a_card_is_refused(tmp_path: Path) -> None:
    told = complaint(load_task, f"{tmp_path}/nowhere")
    assert told == (
        f"{tmp_path}/nowhere/task.yaml: must exist, since the task is given as a folder."
    )


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "kind: classification",
            "kind: clasification",
            "'kind' must be one of beat, chord, classification, frames, key, pitch, regression, "
            "tagging. Got 'clasification'. "
            "Did you mean 'classification'?",
        ),
        ("macro_f1]", "makro_f1]", "unknown metric 'makro_f1'. Did you mean 'macro_f1'?"),
        (
            "higher_is_better: true",
            "higher_is_better: false",
            "'higher_is_better' must be True for accuracy. Got False.",
        ),
        (
            "  - {form: table, folder: ., path: tracks.csv}",
            "  []",
            "'data' must name a layout, or a task.py must have read_tracks.",
        ),
        ("version: 1", "version: one", "'version' must be of type int. Got 'one'."),
        ("version: 1", "version: 1\nversion: 2", "'version' is given twice"),
        (
            "labels: [",
            "labels: [yes, ",
            "'labels'[0] must be of type str. Got True. Put it in quotes",
        ),
        ("labels: [", "labels: [01, ", "'labels'[0] must be of type str. Got 1. Put it in quotes:"),
        (
            "labels: [",
            "labels: [2020-01-01, ",
            "Put it in quotes: YAML reads yes, no, on, off, 01,",
        ),
        ("version: 1", "[version]: 1", "a name must be text, no list or mapping"),
        (
            "version: 1",
            f"version: {'[' * 50_000}",
            "more than 100 lists and mappings in each other",
        ),
        ("version: 1", f"version: {'9' * 5000}", "must be a readable YAML file."),
        ("labels: [", "labels: [[", "must be a readable YAML file."),
    ],
)
def test_a_card_that_breaks_a_rule_is_told_with_its_path(
    tmp_path: Path, before: str, after: str, message: str
) -> None:
    assert before in SMALL_CARD
    folder = own_task(tmp_path / "mine", text=SMALL_CARD.replace(before, after))
    told = complaint(load_task, str(folder))
    assert told.startswith(f"{folder / 'task.yaml'}: ")
    assert message in told


def test_a_card_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_bytes("name: Müsik".encode("latin-1"))
    assert complaint(read_card, path).startswith(f"{path}: must be a readable YAML file. ")
    assert complaint(read_card, tmp_path).startswith(f"{tmp_path}: must be a readable YAML file. ")
    os.mkfifo(tmp_path / "fifo.yaml")
    assert "Got a FIFO." in complaint(read_card, tmp_path / "fifo.yaml")


def test_labels_of_a_card_are_in_one_unicode_form(tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_text("{name: a, kind: tagging, labels: [forro\u0301, rock]}")
    assert load_task(str(tmp_path)).spec.labels == ("forr\u00f3", "rock")


def test_a_task_py_replaces_what_it_defines(tmp_path: Path) -> None:
    code = "def encode(tracks, spec):\n    return [7, len(tracks)]\n"
    task = load_task(str(own_task(tmp_path / "mine", code)))
    assert encoded(task) == [7, 0]
    assert task.track_kind.score.__func__ is Classification.score  # type: ignore[attr-defined]
    assert load_task("GTZAN").track_kind.encode([], task.spec).shape == (0,)


def test_a_task_py_may_hold_dataclasses_and_import_its_neighbours(tmp_path: Path) -> None:
    code = (
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "from .numbers import SEVEN\n\n"
        "@dataclass\nclass Box:\n    value: int\n\n"
        "def encode(tracks, spec):\n    return Box(SEVEN)\n"
    )
    folder = own_task(tmp_path / "mine", code)
    (folder / "numbers.py").write_text("SEVEN = 7\n")
    task = load_task(str(folder))
    assert encoded(task).value == 7


def test_a_task_py_is_read_as_it_is_now_and_folders_of_one_name_do_not_mix(
    tmp_path: Path,
) -> None:
    def answer(folder: Path) -> int:
        found: int = encoded(load_task(str(folder)))
        return found

    code = "def encode(tracks, spec):\n    return {}\n"
    first = own_task(tmp_path / "a" / "mine", code.format(1))
    second = own_task(tmp_path / "b" / "mine", code.format(22))
    assert (answer(first), answer(second), answer(first)) == (1, 22, 1)
    own_task(first, code.format(333))
    assert answer(first) == 333


def test_a_task_py_that_reads_the_tracks_needs_no_layout(tmp_path: Path) -> None:
    text = SMALL_CARD.replace("  - {form: table, folder: ., path: tracks.csv}", "  []")
    code = "def read_tracks(root, spec, lists):\n    return []\n"
    assert load_task(str(own_task(tmp_path / "mine", code, text))).spec.data == ()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import nowhere_at_all", "must load. Got ModuleNotFoundError: No module named 'nowhere"),
        ("def encode(:", "must load. Got SyntaxError: "),
        ("1 / 0", "must load. Got ZeroDivisionError: division by zero."),
        ("from .absent import x", "must load. Got ModuleNotFoundError: "),
    ],
)
def test_a_task_py_that_does_not_load_is_told_with_its_path(
    tmp_path: Path, code: str, message: str
) -> None:
    folder = own_task(tmp_path / "mine", code)
    told = complaint(load_task, str(folder))
    assert told.startswith(f"{folder / 'task.py'}: {message}")


def test_another_package_brings_tasks(other: Distribution) -> None:
    folder = other.add_task("small", SMALL_CARD.replace("aliases: []", "aliases: [Tiny]"))
    other.offer("marble_eval.tasks", mine=f"{other.package.name}.music")
    assert "Small" in task_names()
    task = load_task("Tiny")
    assert task.folder == folder
    assert task.provider == f"{other.package.name} 2.5"
    assert task_folders()["Small"].provider == task.provider


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        ("name: Small", "name: GTZAN", "GTZAN"),
        ("aliases: []", "aliases: [GTZANGenre]", "GTZANGenre"),
        ("aliases: []", "aliases: [GTZAN]", "GTZAN"),
        ("name: Small", "name: GTZANGenre", "GTZANGenre"),
    ],
)
def test_two_tasks_of_one_name_or_alias_are_refused(
    other: Distribution, before: str, after: str, name: str
) -> None:
    folder = other.add_task("small", SMALL_CARD.replace(before, after))
    other.offer("marble_eval.tasks", mine=f"{other.package.name}.music")
    told = complaint(task_names)
    assert told.startswith(f"two tasks are called {name!r}: ")
    assert str(folder) in told and f"({other.package.name} 2.5)" in told
    assert told.endswith("Uninstall one.")


@pytest.mark.parametrize("value", ["nowhere.at.all", "nowhere_at_all", "{}.absent", "json.tool"])
def test_an_entry_point_that_is_no_package_is_refused(other: Distribution, value: str) -> None:
    other.offer("marble_eval.tasks", mine=value.format(other.package.name))
    told = complaint(task_names)
    assert told.startswith("the entry point 'mine' in the group marble_eval.tasks must name a ")
    assert f"Got {value.format(other.package.name)!r}" in told


def test_a_bad_card_of_another_package_is_not_passed_over(other: Distribution) -> None:
    folder = other.add_task("small", "name: Small\n")
    other.offer("marble_eval.tasks", mine=f"{other.package.name}.music")
    assert complaint(load_task, "GTZAN").startswith(f"{folder / 'task.yaml'}: ")


# --- encoders ---


def test_every_config_is_an_encoder() -> None:
    folder = Path(__file__).parents[1] / "configs" / "encoder"
    assert encoder_names() == tuple(sorted(path.stem for path in folder.glob("*.yaml")))


def test_options_replace_those_of_the_config() -> None:
    encoder = load_encoder("mel", n_mels=64, name="mel-64")
    assert (encoder.name, encoder.width, encoder.sample_rate) == ("mel-64", 128, 24000)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mell", {}, "no encoder is called 'mell'. Did you mean 'mel'? Known: "),
        (None, {}, "no encoder is called None. Known: "),
        ("mel", {"n_mel": 3}, "encoder mel: unknown option 'n_mel'. Did you mean 'n_mels'"),
        (None, {"target": "marble_eval"}, "'target' must read module:function. Got 'marble_eval'."),
        (None, {"target": ":x"}, "'target' must read module:function. Got ':x'."),
        (None, {"target": ".x:y"}, "'target' must read module:function. Got '.x:y'."),
        (
            None,
            {"target": "nowhere_at_all:x"},
            "cannot be loaded: No module named 'nowhere_at_all'",
        ),
        (None, {"target": "json:x"}, "'target' 'json:x' cannot be loaded: module 'json' has no"),
        (None, {"target": "json:decoder"}, "must be made by a function or class. Got module."),
        (None, {"target": "json:loads"}, "missing a required argument: 's'. It takes s, "),
    ],
)
def test_an_encoder_that_cannot_be_made_is_told(
    name: str | None, options: dict[str, Any], message: str
) -> None:
    assert message in complaint(load_encoder, name, **options)


def test_a_target_that_is_not_installed_gets_the_next_step() -> None:
    assert complaint(load_encoder, target="my_encoder:make").endswith(
        "Install its package, go to its folder, or put that on PYTHONPATH."
    )


def test_a_target_makes_an_encoder_from_its_options(other: Distribution) -> None:
    made = load_encoder(target=f"{other.package.name}:Level", gain=2.0, device="cuda:7")
    assert isinstance(made, Encoder)
    assert made.fingerprint() == "level-2.0"
    assert vars(made)["device"] == "cuda:7"


def test_a_target_that_takes_no_device_is_given_none(other: Distribution) -> None:
    made = load_encoder(target=f"{other.package.name}:level", device="cuda:7")
    assert vars(made)["device"] == "cpu"


def test_options_a_target_does_not_take_are_told(other: Distribution) -> None:
    target = f"{other.package.name}:Level"
    told = complaint(load_encoder, target=target, gian=2.0)
    assert told == (
        f"encoder {target}: got an unexpected keyword argument 'gian'. It takes gain, device."
    )


def test_what_lacks_members_is_no_encoder(other: Distribution) -> None:
    target = f"{other.package.name}:nothing"
    told = complaint(load_encoder, target=target)
    assert told.startswith(f"encoder {target}: must have name, sample_rate, ")
    assert "Got object without name, sample_rate, frame_rate, layers, width, hidden" in told
    whole = SimpleNamespace(
        name="", sample_rate=1, frame_rate=1.0, layers=(), width=1, hidden_states=np.abs
    )
    assert "Got SimpleNamespace without fingerprint." in complaint(check_encoder, whole, "x")
    whole.fingerprint = str
    check_encoder(whole, "x")


def test_an_error_inside_the_encoder_stays_what_it_is(other: Distribution) -> None:
    with pytest.raises(TypeError, match="inside the encoder"):
        load_encoder(target=f"{other.package.name}:broken", seconds=1)


def test_another_package_brings_an_encoder(other: Distribution) -> None:
    other.offer("marble_eval.encoders", level=f"{other.package.name}:level")
    assert "level" in encoder_names()
    assert load_encoder("level", gain=3.0).fingerprint() == "level-3.0"
    assert "Did you mean 'level'" in complaint(load_encoder, "levl")


def test_an_encoder_of_a_name_that_is_taken_is_refused(other: Distribution) -> None:
    other.offer("marble_eval.encoders", mel=f"{other.package.name}:level")
    told = complaint(encoder_names)
    assert told == (
        f"two encoders are called 'mel': marble-eval's own and {other.package.name}:level. "
        f"Uninstall one."
    )


@pytest.mark.parametrize("value", ["nowhere_at_all:level", "{}:absent"])
def test_an_entry_point_that_does_not_load_is_told(other: Distribution, value: str) -> None:
    value = value.format(other.package.name)
    other.offer("marble_eval.encoders", level=value)
    assert "level" in encoder_names()  # looking it up loads nothing
    told = complaint(load_encoder, "level")
    assert told.startswith(f"encoder level: the entry point {value!r} must load. Got ")


def test_weights_that_are_not_there_are_missing_and_not_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="nowhere"):
        load_encoder("mert-v1-95m", path=str(tmp_path / "nowhere"))


def test_looking_names_up_imports_no_package_of_encoders(other: Distribution) -> None:
    other.offer("marble_eval.encoders", level=f"{other.package.name}:level")
    code = (
        f"import sys; sys.path.insert(0, {str(other.site)!r})\n"
        "from marble_eval.registry import encoder_names, load_task\n"
        "load_task('GTZAN')\n"
        "assert 'level' in encoder_names()\n"
        f"assert {other.package.name!r} not in sys.modules and 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
