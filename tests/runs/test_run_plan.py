"""What is settled before the encoder starts: the features' key, and the state of the data."""

import dataclasses
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from marble_eval.encoders.mert import random_mert
from marble_eval.errors import MissingError, SpecError
from marble_eval.features.audio_check import Unusable
from marble_eval.features.clip_rules import ClipCuts
from marble_eval.features.stores import ClipName, PooledStore
from marble_eval.files.fingerprint import weights_digest
from marble_eval.progress import Silence
from marble_eval.registry import Task, load_probe, load_task
from marble_eval.registry.configuration import load_engine, load_protocol, run_defaults
from marble_eval.results.caveats import TracksLeftOut
from marble_eval.runs.run_plan import RunPlan, plan_run
from marble_eval.runs.task_data import default_root
from marble_eval.spec import Excused, Settings, from_mapping
from tests.conftest import write_small_task


class Idle:
    """An encoder that must not be called."""

    name = "idle"
    frame_rate = 75.0
    layers: Sequence[str] = ("0", "1")
    width = 3

    def __init__(
        self,
        *,
        sample_rate: int = 22050,
        weights: Mapping[str, torch.Tensor] | None = None,
        normalise: bool | Mapping[str, bool] = False,
    ) -> None:
        self.sample_rate = sample_rate
        self.normalise = normalise
        self._weights = weights or {"weight": torch.zeros(4)}

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        raise AssertionError("nothing is to be encoded yet")

    def fingerprint(self) -> str:
        return weights_digest(self._weights.items())


@pytest.fixture(scope="module")
def _original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_task(tmp_path_factory.mktemp("task"))


@pytest.fixture
def small_task(_original: Path, tmp_path: Path) -> Path:
    """A copy of a task folder of 48 tracks."""
    return Path(shutil.copytree(_original, tmp_path / "small"))


def _settings(**changes: Any) -> Settings:
    defaults = run_defaults()
    names = ("layers", "seeds", "seed", "missing", "features", "frames", "force")
    values = {name: defaults[name] for name in names} | {
        "root": None,
        "splits": None,
        "results": None,
        "protocol": load_protocol("marble-v1"),
        "probe": load_probe("mlp"),
        "engine": load_engine("local"),
    }
    return from_mapping(Settings, values | changes, "test")


def _prepared(
    folder: Path, encoder: Any = None, *, task: Task | None = None, **changes: Any
) -> RunPlan:
    return plan_run(
        task or load_task(f"{folder}/"), encoder or Idle(), _settings(**changes), Silence()
    )


def _with_rules(task: Task, **changes: Any) -> Task:
    rules = {
        name: dataclasses.replace(each, **changes) for name, each in task.spec.protocols.items()
    }
    return dataclasses.replace(task, spec=dataclasses.replace(task.spec, protocols=rules))


def test_everything_that_changes_features_changes_their_key(small_task: Path) -> None:
    task = load_task(f"{small_task}/")
    v1 = load_protocol("marble-v1")
    one_weight = {"weight": torch.tensor([0.0, 0.0, 0.0, 1e-45])}
    prepared = {
        "plain": _prepared(small_task),
        "weight": _prepared(small_task, Idle(weights=one_weight)),
        "rate": _prepared(small_task, Idle(sample_rate=24000)),
        "normalise": _prepared(small_task, Idle(normalise=True)),
        "dtype": _prepared(
            small_task, features=run_defaults()["features"] | {"dtype": "float32"}
        ),
        "resampler": _prepared(
            small_task, protocol=dataclasses.replace(v1, resampler="soxr-hq")
        ),
        "channels": _prepared(small_task, protocol=dataclasses.replace(v1, channels="first")),
        "scope": _prepared(
            small_task, Idle(normalise=True), protocol=dataclasses.replace(v1, normalise="clip")
        ),
        "protocol": _prepared(small_task, protocol=load_protocol("marble-v2")),
        **{
            f"{name} {value}": _prepared(small_task, task=_with_rules(task, **{name: value}))
            for name, value in (
                ("clip_seconds", 0.5),
                ("crop_seconds", 0.5),
                ("tail", "pad"),
                ("tail_seconds", 0.5),
            )
        },
        "hop": _prepared(
            small_task, task=_with_rules(task, clip_seconds=0.5, hop_seconds=0.25)
        ),
    }  # fmt: skip
    assert len({each.plan.fingerprint for each in prepared.values()}) == len(prepared)
    plans = [each.plan for each in prepared.values()]
    assert {each.store.folder.name for each in plans} == {each.fingerprint for each in plans}


def test_weights_and_precision_of_mert_are_in_the_key(small_task: Path) -> None:
    keys = {
        _prepared(
            small_task, random_mert(size="small", seed=seed, precision=precision, device="cpu")
        ).plan.fingerprint
        for seed, precision in ((0, "float32"), (1, "float32"), (0, "bfloat16"))
    }
    assert len(keys) == 3


def test_an_encoder_that_normalises_by_protocol_is_asked_for_the_one_that_is_run(
    small_task: Path,
) -> None:
    by_protocol = Idle(normalise={"marble-v1": False, "marble-v2": True})
    plan = _prepared(small_task, by_protocol).plan
    assert plan.fingerprint == _prepared(small_task).plan.fingerprint
    of_v2 = _prepared(small_task, by_protocol, protocol=load_protocol("marble-v2")).plan
    assert isinstance(plan.cuts, ClipCuts) and isinstance(of_v2.cuts, ClipCuts)
    assert (plan.cuts.normalised, of_v2.cuts.normalised) == (False, True)


def test_names_places_and_probes_are_not_in_the_key(small_task: Path, tmp_path: Path) -> None:
    plain = _prepared(small_task)
    renamed = Idle()
    renamed.name = "another name"
    task = load_task(f"{small_task}/")
    other_task = dataclasses.replace(task, spec=dataclasses.replace(task.spec, name="Other"))
    moved = Path(shutil.copytree(small_task, tmp_path / "elsewhere"))
    same = [
        _prepared(small_task, renamed),
        _prepared(small_task, task=other_task),
        _prepared(moved),
        _prepared(small_task, root=moved),
        _prepared(small_task, probe=load_probe("linear"), layers=[0], seeds=1, seed=5),
        _prepared(
            small_task,
            engine=dataclasses.replace(load_engine("local"), workers=3, batch_clips=4, readers=1),
        ),
        _prepared(small_task, protocol=load_protocol("quick")),
    ]
    assert {each.plan.fingerprint for each in same} == {plain.plan.fingerprint}
    assert {each.plan.store.folder for each in same} == {plain.plan.store.folder}
    assert same[2].survey.digests == plain.survey.digests


def test_a_store_tells_what_its_key_is_made_of(small_task: Path, tmp_path: Path) -> None:
    prepared = _prepared(small_task)
    about = prepared.plan.store.describe()
    assert about["name"] == "idle"
    assert about["encoder"] == Idle().fingerprint()
    assert about["windowing"]["resampler_version"] == "sinc hann 6 0.99, version 1"
    assert (about["sample_rate"], about["normalised"]) == (22050, False)
    folder = prepared.plan.store.folder
    assert folder == tmp_path / "home" / "features" / prepared.plan.fingerprint
    assert not folder.exists()  # a look writes nothing
    json.dumps(about)


def test_all_unusable_files_are_in_one_list_before_the_encoder_starts(small_task: Path) -> None:
    (small_task / "train_flute_0.wav").unlink()
    (small_task / "train_flute_1.wav").write_bytes(b"")
    soundfile.write(small_task / "test_organ_0.wav", np.zeros(17640), 22050)
    with pytest.raises(MissingError) as raised:
        _prepared(small_task)
    message = str(raised.value)
    assert message.startswith("3 audio files of Small cannot be used:\n")
    listed = message.splitlines()[1:4]
    assert listed == [
        f"  {small_task / 'train_flute_0.wav'}: missing",
        f"  {small_task / 'train_flute_1.wav'}: empty (0 bytes)",
        f"  {small_task / 'test_organ_0.wav'}: silent",
    ]
    assert "missing=report" in message


def test_a_long_list_is_cut_and_counted(small_task: Path) -> None:
    for path in small_task.glob("train_*.wav"):
        path.unlink()
    with pytest.raises(MissingError, match=r"^24 audio files") as raised:
        _prepared(small_task)
    assert str(raised.value).count(": missing") == 20
    assert "and 4 more" in str(raised.value)


def test_a_run_may_go_on_without_files_and_says_so(small_task: Path) -> None:
    (small_task / "train_flute_0.wav").unlink()
    prepared = _prepared(small_task, missing="report")
    assert len(prepared.survey.usable) == 47
    assert prepared.deviations == (TracksLeftOut("train", 1, 24),)
    assert prepared.digests[0] != _prepared(_whole(small_task)).digests[0]
    assert prepared.digests[1] == _prepared(_whole(small_task)).digests[1]


def _whole(folder: Path) -> Path:
    shutil.copy(folder / "train_flute_1.wav", folder / "train_flute_0.wav")
    return folder


def test_a_split_with_nothing_left_ends_the_run(small_task: Path) -> None:
    for path in small_task.glob("valid_*.wav"):
        path.unlink()
    with pytest.raises(MissingError, match="Nothing is left of the valid split"):
        _prepared(small_task, missing="report")


@pytest.mark.parametrize("fault", [Path.unlink, Path.touch], ids=["absent", "unreadable"])
def test_a_track_that_a_published_variant_lacks_is_excused(
    small_task: Path, fault: Callable[[Path], None]
) -> None:
    task = load_task(f"{small_task}/")
    excused = Excused("train_flute_0", "train", "corrupt in one copy", "flute")
    task = dataclasses.replace(task, spec=dataclasses.replace(task.spec, may_lack=(excused,)))
    assert _prepared(small_task, task=task).remarks == []
    (small_task / "train_flute_0.wav").write_bytes(b"")
    fault(small_task / "train_flute_0.wav")
    prepared = _prepared(small_task, task=task)
    assert len(prepared.survey.usable) == 47
    assert prepared.deviations == ()
    assert prepared.remarks == ["train without train_flute_0: corrupt in one copy"]


def test_files_found_unusable_later_are_settled_like_those_found_before(small_task: Path) -> None:
    prepared = _prepared(small_task)
    late = Unusable(prepared.survey.usable[0], "truncated: 3 of 9 frames")
    with pytest.raises(MissingError, match=r"1 audio files of Small.*\n.*3 of 9 frames"):
        prepared.without([late])
    going_on = _prepared(small_task, missing="report").without([late])
    assert len(going_on.survey.usable) == 47
    assert going_on.deviations == (TracksLeftOut("train", 1, 24),)


def test_a_card_without_the_protocol_is_told_which_it_has(small_task: Path) -> None:
    task = load_task(f"{small_task}/")
    rules = {"marble-v2": task.spec.protocols["marble-v2"]}
    task = dataclasses.replace(task, spec=dataclasses.replace(task.spec, protocols=rules))
    with pytest.raises(SpecError, match=r"task\.yaml.*block 'marble-v1'.*It has marble-v2"):
        _prepared(small_task, task=task)


def test_data_is_looked_for_beside_a_card_or_in_the_home(small_task: Path, tmp_path: Path) -> None:
    assert default_root(load_task(f"{small_task}/")) == small_task
    assert default_root(load_task("GTZAN")) == tmp_path / "home" / "data" / "GTZAN"


def test_a_survey_that_finds_everything_cached_has_nothing_to_encode(small_task: Path) -> None:
    prepared = _prepared(small_task)
    assert (prepared.survey.cached_clips, prepared.survey.new_clips) == (0, 48)
    names = [ClipName(digest, 0, 1) for digest in prepared.survey.digests.values()]
    prepared.plan.store.append(names, [np.zeros((2, 3), np.float16)] * 48)
    again = _prepared(small_task).survey
    assert (again.cached_clips, again.new_clips) == (48, 0)
    assert len(PooledStore.open(prepared.plan.store.folder)) == 48


def test_other_groups_are_another_run_since_intervals_rest_on_them(small_task: Path) -> None:
    before = _prepared(small_task).unit
    table = small_task / "tracks.csv"
    table.write_text(table.read_text().replace("test-organ-0", "test-organ-1"))
    assert _prepared(small_task).unit != before
