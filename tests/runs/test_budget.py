"""What features take, the refusal of too much, and that each choice it names is one."""

import dataclasses
import importlib
import io
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import yaml

import marble_eval
from marble_eval.cli import main
from marble_eval.encoders.mert import random_mert
from marble_eval.errors import MarbleError, MissingError
from marble_eval.features.stores import ClipName, FrameStore
from marble_eval.files.home import home_folder
from marble_eval.progress import Silence
from marble_eval.registry import load_task
from marble_eval.registry.configuration import load_engine
from marble_eval.runs.budget import check_budget, feature_bytes, savings, turns
from marble_eval.runs.run import settings_of
from marble_eval.runs.run_plan import RunPlan, plan_run
from tests.conftest import write_click_task, write_small_task

CPU = dataclasses.replace(load_engine("local"), device="cpu")


class Declared:
    """An encoder that says what it is and must not be called: as MERT-v1-95M."""

    name, sample_rate, frame_rate, width = "declared", 24000, 75.0, 768
    layers: Sequence[str] = tuple(str(at) for at in range(13))

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        raise AssertionError("nothing is to be encoded")

    def fingerprint(self) -> str:
        return "declared"


class Shifted(Declared):
    """Five layers whose names are numbers, but not their own."""

    width = 4
    layers = ("1", "2", "3", "4", "5")


@pytest.fixture(scope="module")
def _original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_click_task(tmp_path_factory.mktemp("task") / "clicks", seconds=4.0)


@pytest.fixture
def clicks(_original: Path, tmp_path: Path) -> Path:
    """A task folder of eight tracks of 4 s: 2400 frames at 75 Hz."""
    return Path(shutil.copytree(_original, tmp_path / "clicks"))


def _prepared(folder: Path, encoder: Any, **choices: Any) -> RunPlan:
    settings = settings_of(engine=CPU, **choices)
    return plan_run(load_task(f"{folder}/"), encoder, settings, Silence())


def _is_refused(prepared: RunPlan) -> bool:
    try:
        check_budget(prepared)
    except MissingError:
        return True
    return False


def _as_choices(line: str, chosen: dict[str, Any]) -> dict[str, Any]:
    """Read a choice as a command line would: ``features.max_bytes=1e6 layers=[1,2]: ...``."""
    after = {**chosen, "features": dict(chosen.get("features", {}))}
    for each in line.partition(": ")[0].split():
        name, _, text = each.partition("=")
        value = yaml.safe_load(text)
        if name.startswith("features."):
            number = name.removeprefix("features.")
            after["features"][number] = float(value) if "e+" in text else value
        else:
            after[name] = value
    return after


# --- how much --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gtzan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """930 tracks of 30 s, at 100 Hz so that they are small: the headers tell the length."""
    root = tmp_path_factory.mktemp("gtzan")
    (root / "task.yaml").write_text("name: Thirty\nkind: beat\n")
    (root / "one.beats").write_text("1.0\t1\n2.0\t2\n")
    rows = ["path,beats,split"]
    first = io.BytesIO()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 3000)
    soundfile.write(first, noise, 100, "PCM_16", format="WAV")
    for number in range(930):  # each another file by its last sample
        content = first.getvalue()[:-2] + number.to_bytes(2, "little")
        (root / f"{number}.wav").write_bytes(content)
        split = "train" if number < 443 else "valid" if number < 640 else "test"
        rows.append(f"{number}.wav,one.beats,{split}")
    (root / "tracks.csv").write_text("\n".join(rows) + "\n")
    return root


def test_every_frame_of_gtzan_is_forty_two_gigabytes(gtzan: Path) -> None:
    prepared = _prepared(gtzan, Declared())
    # 930 tracks of 30 s at 75 Hz, 13 layers of 768 numbers of 2 bytes.
    assert feature_bytes(prepared) == 930 * 2250 * 13 * 768 * 2 == 41_783_040_000
    check_budget(prepared)  # the limit is 50 GB
    assert savings(prepared) == [
        "features.frame_rate=25: 13.9 GB",
        "layers=[9,10,11,12]: 12.9 GB",
        "features.in_turn=true features.max_bytes=1.30e+10 "
        "layers=[0,1,2,3,4,5,6,7,8,9,10,11,12]: 4 at a time, 12.9 GB, the same scores",
    ]
    less = _prepared(gtzan, Declared(), features={"max_bytes": 2e10})
    with pytest.raises(MissingError, match=r"20\.0 GB.*They would take 41\.8 GB") as raised:
        check_budget(less)
    assert raised.value.exit_code == 3
    assert str(raised.value).splitlines()[1:] == [
        "  features.frame_rate=25: 13.9 GB",
        "  layers=[7,8,9,10,11,12]: 19.3 GB",
        "  features.in_turn=true layers=[0,1,2,3,4,5,6,7,8,9,10,11,12]: 6 at a time, 19.3 GB, "
        "the same scores",
        "  features.max_bytes=4.22e+10: all of it, 41.8 GB",
    ]


@pytest.mark.parametrize(
    ("choices", "size"),
    [
        ({}, 2400 * 13 * 768 * 2),
        ({"layers": [5]}, 2400 * 768 * 2),
        ({"layers": [5, 6, 12]}, 2400 * 3 * 768 * 2),
        ({"layers": ["sum"]}, 2400 * 12 * 768 * 2),
        ({"features": {"dtype": "float32"}}, 2400 * 13 * 768 * 4),
        ({"features": {"frame_rate": 25}}, 800 * 13 * 768 * 2),
        ({"features": {"frame_rate": 5}, "layers": [0]}, 160 * 768 * 2),
    ],
)
def test_the_size_is_frames_times_layers_times_width(
    clicks: Path, choices: dict[str, Any], size: int
) -> None:
    assert feature_bytes(_prepared(clicks, Declared(), **choices)) == size


def test_cached_frames_count_too_and_nothing_more_to_encode_is_no_fault(clicks: Path) -> None:
    choices: dict[str, Any] = {"features": {"max_bytes": 2e5}, "layers": ["5"]}
    prepared = _prepared(clicks, Shifted(), features={"max_bytes": 1e4}, layers=["5"])
    assert _is_refused(prepared)
    store = prepared.plan.store
    assert isinstance(store, FrameStore)
    audio = list(prepared.survey.digests.values())
    for each in audio[:7]:
        store.append([ClipName(each, 0, 1)], [np.zeros((1, 299, 4), np.float16)])
    partly = _prepared(clicks, Shifted(), features={"max_bytes": 1e4}, layers=["5"])
    assert feature_bytes(partly) == (7 * 299 + 300) * 4 * 2
    assert _is_refused(partly)
    store.append([ClipName(audio[7], 0, 1)], [np.zeros((1, 299, 4), np.float16)])
    assert not _is_refused(_prepared(clicks, Shifted(), features={"max_bytes": 1e4}, layers=["5"]))
    assert not _is_refused(_prepared(clicks, Shifted(), **choices))


# --- choices ---------------------------------------------------------------------------

ROW = 4 * 2  # bytes a frame of one layer of `Shifted`
ALL = 2400 * 5 * ROW
RUNS: dict[str, dict[str, Any]] = {
    "all": {},
    "some": {"layers": [0, 2, 4]},
    "one": {"layers": [3]},
    "one and the sum": {"layers": [2, "sum"]},
    "the sum": {"layers": ["sum"]},
    "float32": {"features": {"dtype": "float32"}},
    "a rate": {"features": {"frame_rate": 25}},
    "in turn": {"features": {"in_turn": True}, "layers": [0, 1, 2, 3, 4]},
    "in turn with the sum": {"features": {"in_turn": True}},
}


@pytest.mark.parametrize("share", [1.0, 0.99, 0.8, 2 / 3, 0.5, 0.4, 1 / 3, 0.2, 0.1, 1 / 15, 0.01])
@pytest.mark.parametrize("run", RUNS, ids=list(RUNS))
def test_every_choice_that_is_named_is_one(clicks: Path, run: str, share: float) -> None:
    chosen = RUNS[run]
    whole = feature_bytes(_prepared(clicks, Shifted(), **chosen))
    limit = share * whole
    chosen = {**chosen, "features": {**chosen.get("features", {}), "max_bytes": limit}}
    prepared = _prepared(clicks, Shifted(), **chosen)
    lines = savings(prepared)
    assert _is_refused(prepared) == (share < 1 and not (run == "in turn" and share >= 0.2))
    if share < 1:
        assert lines[-1].startswith("features.max_bytes=")
    for line in lines:
        followed = _prepared(clicks, Shifted(), **_as_choices(line, chosen))
        check_budget(followed)
        in_turn = turns(followed)
        if "at a time" in line:
            count = int(line.split(": ")[1].split()[0])
            assert [len(each) for each in in_turn[:-1]] == [count] * (len(in_turn) - 1)
            assert 1 <= len(in_turn[-1]) <= count
            assert count * feature_bytes(followed) / len(followed.layers) <= max(
                limit, followed.settings.features.max_bytes
            )
        else:
            assert run.startswith("in turn") or len(in_turn) == 1
        assert set(followed.layers) <= set(prepared.layers) | set(Shifted.layers)


def test_what_does_not_fit_is_not_named(clicks: Path) -> None:
    def names(**features: Any) -> list[str]:
        lines = savings(_prepared(clicks, Shifted(), features=features))
        return [line.partition("=")[0] for line in lines]

    assert names(max_bytes=0.5 * ALL) == [
        "features.frame_rate", "layers", "features.in_turn", "features.max_bytes"
    ]  # fmt: skip
    # Less than a layer, more than the lowest rate; then less than both.
    assert names(max_bytes=0.15 * ALL) == ["features.frame_rate", "features.max_bytes"]
    assert names(max_bytes=0.01 * ALL) == ["features.max_bytes"]
    assert names(max_bytes=1.2 * ALL, dtype="float32") == [
        "features.frame_rate", "features.dtype", "layers", "features.in_turn", "features.max_bytes"
    ]  # fmt: skip
    assert names(max_bytes=0.9 * ALL, dtype="float32")[1] == "layers"  # half is too much too


def test_layers_are_named_by_their_place_whatever_they_are_called(clicks: Path) -> None:
    prepared = _prepared(clicks, Shifted(), features={"max_bytes": 0.45 * ALL})
    line = next(line for line in savings(prepared) if line.startswith("layers"))
    assert line.startswith("layers=[3,4]: ")
    followed = _prepared(clicks, Shifted(), **_as_choices(line, {}))
    assert list(followed.layers) == ["4", "5"]


def test_layers_in_turn_are_those_that_were_asked_for(clicks: Path) -> None:
    features = {"max_bytes": 0.45 * ALL, "in_turn": True}
    every = _prepared(clicks, Shifted(), features=features, layers=[0, 1, 2, 3, 4])
    assert turns(every) == [("1", "2"), ("3", "4"), ("5",)]
    some = _prepared(clicks, Shifted(), features=features, layers=[0, 2, 4])
    assert turns(some) == [("1", "3"), ("5",)]
    whole = _prepared(clicks, Shifted(), features={**features, "in_turn": False}, layers=[0, 1])
    assert turns(whole) == [("1", "2")]


def test_pooled_features_are_refused_too_and_have_no_turns(tmp_path: Path) -> None:
    folder = write_small_task(tmp_path / "small")
    for in_turn in (False, True):
        for encoder in (Declared(), Shifted()):
            features = {"max_bytes": 1000, "in_turn": in_turn}
            prepared = _prepared(folder, encoder, features=features, layers=[0, 1])
            size = 48 * len(encoder.layers) * encoder.width * 2
            assert feature_bytes(prepared) == size
            with pytest.raises(MissingError) as raised:
                check_budget(prepared)
            (line,) = str(raised.value).splitlines()[1:]
            assert line.startswith("  features.max_bytes=")
            check_budget(_prepared(folder, encoder, **_as_choices(line.strip(), {})))


# --- through the command ---------------------------------------------------------------


class _Started(MarbleError):
    exit_code = 70


@pytest.fixture
def command(clicks: Path, tmp_path: Path) -> Callable[..., int]:
    """Run the command on the clicks, with a random encoder of five layers of 192."""
    words = [
        "run", f"task={clicks}", "encoder=mert-random", "encoder.size=small", "engine.device=cpu",
        "probe=linear", "protocol=quick", "seeds=1", "frames.decoder=peaks",
        f"results={tmp_path / 'results'}",
    ]  # fmt: skip
    return lambda *more: main([*words, *more])


def test_a_run_beyond_its_limit_ends_with_3_and_each_choice_it_names_starts(
    command: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command("features.max_bytes=3e6") == 3
    captured = capsys.readouterr()
    # 2400 frames of 5 layers of 192 numbers of 2 bytes are 4.6 MB.
    assert "at most 3.0 MB (features.max_bytes). They would take 4.6 MB" in captured.err
    assert captured.out == ""
    assert not (home_folder() / "features").exists()
    lines = [line.strip() for line in captured.err.splitlines() if line.startswith("  ")]
    assert [line.partition(": ")[0] for line in lines] == [
        "features.frame_rate=37.5",
        "layers=[2,3,4]",
        "features.in_turn=true layers=[0,1,2,3,4]",
        "features.max_bytes=4.65e+06",
    ]

    def started(*arguments: Any) -> Any:
        raise _Started("it started")

    monkeypatch.setattr(importlib.import_module("marble_eval.runs.run"), "train_and_score", started)
    for line in lines:
        assert command("features.max_bytes=3e6", *line.partition(": ")[0].split()) == 70, line


def test_a_look_ahead_names_size_limit_and_choices(
    command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("features.max_bytes=3e6", "--dry-run") == 0
    out = capsys.readouterr().out
    assert "8 tracks (2400 frames, 75 frames a second)" in out
    assert "4.6 MB of features for 5 layers (features.max_bytes 3.0 MB, which is too much)" in out
    assert "\n  features.frame_rate=37.5: 2.3 MB\n  layers=[2,3,4]: 2.8 MB\n" in out
    assert not (home_folder() / "features").exists()


class _Watching(Silence):
    """Notes the most that the cache ever takes, and what is said."""

    def __init__(self) -> None:
        self.most, self.said = 0, [""]

    def advance(self, steps: int = 1) -> None:
        files = [each for each in (home_folder() / "features").rglob("*") if each.is_file()]
        self.most = max(self.most, sum(each.stat().st_size for each in files))

    def say(self, sentence: str) -> None:
        self.advance()
        self.said.append(sentence)


def test_layers_in_turn_give_the_same_scores_and_leave_nothing(clicks: Path) -> None:
    encoder = random_mert(size="small", seed=0, precision="float32", device="cpu")
    choices: dict[str, Any] = {
        "probe": "linear",
        "protocol": "quick",
        "seeds": 2,
        "frames": {"decoder": "peaks"},
        "layers": [0, 1, 2, 3, 4],
        "engine": CPU,
    }
    limit, watching = 2e6, _Watching()
    in_turn = marble_eval.evaluate(
        encoder,
        str(clicks),
        progress=watching,
        features={"max_bytes": limit, "in_turn": True},
        **choices,
    )
    assert [each for each in watching.said if each.startswith("turn")] == [
        "turn 1 of 3: layers 0, 1",
        "turn 2 of 3: layers 2, 3",
        "turn 3 of 3: layers 4",
    ]
    assert 2400 * 2 * 192 * 2 * 0.99 < watching.most < limit
    assert list((home_folder() / "features").iterdir()) == []
    at_once = marble_eval.evaluate(encoder, str(clicks), **choices)
    assert len(list((home_folder() / "features").iterdir())) == 1
    for part in ("metrics", "layers", "choices", "unit", "features"):
        assert getattr(in_turn, part) == getattr(at_once, part), part
    by_layer = [sorted(each.grid, key=lambda x: (x.layer, x.seed)) for each in (in_turn, at_once)]
    assert by_layer[0] == by_layer[1]
    assert (in_turn.cost.clips_encoded, at_once.cost.clips_encoded) == (24, 8)
