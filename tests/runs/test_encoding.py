"""From a prepared run to features: the cache hit, missed, damaged and filled at once."""

import dataclasses
import errno
import fcntl
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from marble_eval.encoders.spectra import load_mel
from marble_eval.errors import MarbleError, MissingError
from marble_eval.features.stores import FrameStore, PooledStore, Store
from marble_eval.files.fingerprint import file_digest, weights_digest
from marble_eval.progress import Silence
from marble_eval.registry import load_probe, load_task
from marble_eval.registry.configuration import load_engine, load_protocol, run_defaults
from marble_eval.results.caveats import TracksLeftOut
from marble_eval.runs.encoding import Encoded, encode_tracks
from marble_eval.runs.run_plan import RunPlan, plan_run
from marble_eval.spec import Settings, from_mapping
from tests.conftest import write_click_task, write_small_task

RATE = 22050
FLOAT32 = run_defaults()["features"] | {"dtype": "float32"}


class Weighted:
    """Two layers of three numbers a frame, from weights; counts the clips it was given."""

    name = "weighted"
    sample_rate = RATE
    frame_rate = 75.0
    layers: Sequence[str] = ("0", "1")
    width = 3

    def __init__(self, weights: torch.Tensor | None = None) -> None:
        self.weights = torch.arange(1.0, 7).reshape(2, 3) if weights is None else weights
        self.clips = 0

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        self.clips += len(audio)
        frames = audio[:, : audio.shape[1] // 294 * 294].reshape(len(audio), 1, -1, 294)
        return frames.abs().mean(dim=3)[..., None] * self.weights[:, None, :]

    def fingerprint(self) -> str:
        return weights_digest([("weights", self.weights)])


@pytest.fixture(scope="module")
def _original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_task(tmp_path_factory.mktemp("task"))


@pytest.fixture
def small_task(_original: Path, tmp_path: Path) -> Path:
    """A copy of a task folder of 48 tracks."""
    return Path(shutil.copytree(_original, tmp_path / "small"))


def _prepared(
    folder: Path, encoder: Any, progress: Silence | None = None, **changes: Any
) -> RunPlan:
    defaults = run_defaults()
    names = ("layers", "seeds", "seed", "missing", "features", "frames", "force")
    values = {name: defaults[name] for name in names} | {
        "root": None,
        "splits": None,
        "results": None,
        "protocol": load_protocol("marble-v1"),
        "probe": load_probe("mlp"),
        "engine": dataclasses.replace(load_engine("local"), device="cpu"),
    }
    settings = from_mapping(Settings, values | changes, "test")
    return plan_run(load_task(f"{folder}/"), encoder, settings, progress or Silence())


def _encode(folder: Path, encoder: Any, progress: Silence | None = None, **changes: Any) -> Encoded:
    progress = progress or Silence()
    return encode_tracks(_prepared(folder, encoder, progress, **changes), progress)


class _Notes(Silence):
    def __init__(self) -> None:
        self.said: list[str] = []
        self.stages: dict[str, list[int]] = {}
        self._stage = ""

    def begin(self, title: str, total: int) -> None:
        self._stage = title
        self.stages[title] = [total, 0]

    def advance(self, steps: int = 1) -> None:
        self.stages[self._stage][1] += steps

    def say(self, sentence: str) -> None:
        self.said.append(sentence)


def test_features_are_the_encoders_on_every_file(small_task: Path) -> None:
    encoder = Weighted()
    encoded = _encode(small_task, encoder)
    assert encoder.clips == encoded.clips_encoded == 48
    assert len(encoded.features) == 48
    for track in encoded.prepared.survey.usable:
        audio, _ = soundfile.read(track.path, dtype="float64")
        level = np.abs(audio[: len(audio) // 294 * 294]).mean()
        expected = (level * np.arange(1, 7)).reshape(1, 2, 3)
        found = encoded.features[file_digest(track.path)]
        np.testing.assert_allclose(found, expected, rtol=1e-3)  # float16


def test_features_of_mel_are_librosas_whatever_the_batch(small_task: Path) -> None:
    encoder = load_mel(name="mel", sample_rate=RATE, n_fft=1024, hop_length=294, n_mels=16)
    encoded = _encode(small_task, encoder, features=FLOAT32)
    track = encoded.prepared.survey.usable[7]
    audio, _ = soundfile.read(track.path, dtype="float32")
    alone = encoder.hidden_states(torch.from_numpy(audio)[None]).mean(dim=2).numpy()
    np.testing.assert_allclose(encoded.features[file_digest(track.path)], alone, rtol=1e-6)


def test_a_second_run_takes_everything_from_the_cache(small_task: Path, tmp_path: Path) -> None:
    first = _encode(small_task, Weighted())
    moved = Path(shutil.move(small_task, tmp_path / "moved"))
    renamed = Weighted()
    renamed.name = "another name"
    again = _encode(moved, renamed)
    assert (renamed.clips, again.clips_encoded, again.seconds) == (0, 0, 0.0)
    assert again.features.keys() == first.features.keys()
    for audio, features in first.features.items():
        np.testing.assert_array_equal(again.features[audio], features)


def test_renamed_files_and_another_task_on_the_same_audio_are_hits(
    small_task: Path, tmp_path: Path
) -> None:
    _encode(small_task, Weighted())
    other = tmp_path / "other"
    other.mkdir()
    card = (small_task / "task.yaml").read_text().replace("name: Small", "name: Other")
    (other / "task.yaml").write_text(card)
    rows = (small_task / "tracks.csv").read_text().splitlines()
    for number, row in enumerate(rows[1:]):
        name, label, split, group = row.split(",")
        shutil.copy(small_task / name, other / f"{number}.wav")
        rows[number + 1] = f"{number}.wav,{label},{split},{group}"
    (other / "tracks.csv").write_text("\n".join(rows))
    encoder = Weighted()
    encoded = _encode(other, encoder)
    assert encoder.clips == encoded.clips_encoded == 0
    assert len(encoded.features) == 48


def test_one_changed_weight_and_another_number_type_are_misses(small_task: Path) -> None:
    _encode(small_task, Weighted())
    changed = Weighted(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0 + 1e-6]]))
    _encode(small_task, changed)
    assert changed.clips == 48
    whole = Weighted()
    encoded = _encode(small_task, whole, features=FLOAT32)
    assert {each.dtype for each in encoded.features.values()} == {np.dtype("float32")}
    assert whole.clips == 48


def test_one_changed_file_is_encoded_alone(small_task: Path) -> None:
    _encode(small_task, Weighted())
    path = small_task / "valid_organ_1.wav"
    audio, _ = soundfile.read(path)
    audio[-1] += 2**-15
    soundfile.write(path, audio, RATE)
    encoder = Weighted()
    assert _encode(small_task, encoder).clips_encoded == encoder.clips == 1


def test_the_same_bytes_under_two_names_are_encoded_once(small_task: Path) -> None:
    shutil.copy(small_task / "train_flute_0.wav", small_task / "train_organ_3.wav")
    encoder = Weighted()
    encoded = _encode(small_task, encoder)
    assert encoder.clips == encoded.clips_encoded == len(encoded.features) == 47
    assert len(encoded.prepared.survey.usable) == 48


def _damage(store: Store, fault: str) -> None:
    data, index = store.folder / "data.bin", store.folder / "index.jsonl"
    if fault == "data.bin deleted":
        data.unlink()
    elif fault == "data.bin cut":
        os.truncate(data, 20 * store.row_bytes + 1)
    elif fault == "index.jsonl deleted":
        index.unlink()
    else:
        path = index if fault.startswith("index") else data
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("fault", "clips"),
    [
        ("data.bin altered", 1),
        ("data.bin cut", 28),
        ("data.bin deleted", 48),
        ("index.jsonl altered", 1),
        ("index.jsonl deleted", 48),
    ],
)
def test_damaged_features_are_encoded_again_and_no_others(
    small_task: Path, fault: str, clips: int
) -> None:
    first = _encode(small_task, Weighted())
    store, before = first.prepared.plan.store, dict(first.features)
    _damage(store, fault)
    if fault != "index.jsonl deleted":
        assert PooledStore.open(store.folder).verify().damaged == clips
    notes, encoder = _Notes(), Weighted()
    again = _encode(small_task, encoder, notes)
    assert encoder.clips == again.clips_encoded == clips
    assert notes.stages["encode"] == [clips, clips]
    assert any("fail their checksum" in each for each in notes.said) == fault.startswith("data")
    for audio, features in before.items():
        np.testing.assert_array_equal(again.features[audio], features)
    check = PooledStore.open(store.folder).verify()
    assert (check.records, check.damaged) == (48, 0)
    assert _encode(small_task, Weighted()).clips_encoded == 0


def test_a_damaged_description_costs_nothing(small_task: Path) -> None:
    store = _encode(small_task, Weighted()).prepared.plan.store
    (store.folder / "about.json").write_text("{")
    encoder = Weighted()
    assert len(_encode(small_task, encoder).features) == 48
    assert encoder.clips == 0


def test_a_cache_that_must_not_be_written_is_read_without_a_lock(
    small_task: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _encode(small_task, Weighted())

    def forbidden(*arguments: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(fcntl, "flock", forbidden)
    encoder = Weighted()
    assert len(_encode(small_task, encoder).features) == 48
    assert encoder.clips == 0
    other = Weighted(torch.ones(2, 3))
    with pytest.raises(MarbleError, match=r"features must be writable.*Permission denied"):
        _encode(small_task, other)


def _as_mp3(folder: Path, name: str, audio: np.ndarray) -> None:
    """Put an mp3 in a wav's place: the container is known by content, not by name."""
    soundfile.write(folder / name, audio, RATE, format="MP3", subtype="MPEG_LAYER_III")


def test_faults_found_in_decoding_are_named_and_the_other_features_kept(small_task: Path) -> None:
    _as_mp3(small_task, "train_flute_2.wav", np.zeros(17640))
    _as_mp3(small_task, "test_organ_3.wav", np.zeros(26460))
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 17640)
    _as_mp3(small_task, "valid_organ_0.wav", noise)
    whole = (small_task / "valid_organ_0.wav").read_bytes()
    _as_mp3(small_task, "valid_organ_0.wav", np.tile(noise, 3))
    longer = (small_task / "valid_organ_0.wav").read_bytes()
    (small_task / "valid_organ_0.wav").write_bytes(longer[: len(whole)])
    with pytest.raises(MissingError, match=r"^3 audio files of Small cannot be used") as raised:
        _encode(small_task, Weighted())
    lines = str(raised.value).splitlines()[1:4]
    assert [line.split("/")[-1].split(":")[0] for line in lines] == [
        "train_flute_2.wav", "valid_organ_0.wav", "test_organ_3.wav"
    ]  # fmt: skip
    assert "silent" in lines[0] and "truncated" in lines[1] and "silent" in lines[2]
    encoder = Weighted()
    going_on = _encode(small_task, encoder, missing="report")
    assert encoder.clips == 0
    assert len(going_on.features) == 45
    assert len(going_on.prepared.survey.usable) == 45
    assert TracksLeftOut("train", 1, 24) in going_on.prepared.deviations


def test_a_fault_found_in_repairing_is_that_files_and_not_the_disks(
    small_task: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = _encode(small_task, Weighted()).prepared.plan.store
    _damage(store, "data.bin altered")
    prepared = _prepared(small_task, Weighted(), missing="report")
    for path in small_task.glob("*.wav"):  # after their check
        path.write_bytes(b"gone")
    encoded = encode_tracks(prepared, Silence())
    assert len(encoded.features) == 47
    (lost,) = encoded.prepared.survey.unusable
    assert lost.reason.startswith("unreadable")


def test_a_disk_that_gives_back_something_else_ends_the_run(
    small_task: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite

    def lying(descriptor: int, content: bytes, offset: int) -> int:
        is_record = len(content) == 2 * 3 * 2
        return real(descriptor, b"\0" + content[1:] if is_record else content, offset)

    monkeypatch.setattr(os, "pwrite", lying)
    with pytest.raises(MarbleError, match=r"fail their checksum though.*Check the disk"):
        _encode(small_task, Weighted())


# --- every frame -----------------------------------------------------------------------


class EveryFrame(Weighted):
    """The same at a rate of 24 kHz, where the clicks are; 75 frames a second."""

    sample_rate = 24000

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        self.clips += len(audio)
        frames = audio.reshape(len(audio), 1, -1, 320)
        return frames.abs().mean(dim=3)[..., None] * self.weights[:, None, :]


@pytest.fixture
def clicks(tmp_path: Path) -> Path:
    """A task folder of eight tracks of 6 s, each in one piece."""
    return write_click_task(tmp_path / "clicks")


def _frame_store(encoded: Encoded) -> FrameStore:
    store = encoded.prepared.plan.store
    assert isinstance(store, FrameStore)
    return store


def test_every_frame_is_the_encoders(clicks: Path) -> None:
    encoder = EveryFrame()
    encoded = _encode(clicks, encoder, layers=[1], features=FLOAT32)
    assert encoder.clips == encoded.clips_encoded == 8
    store = _frame_store(encoded)
    for track in encoded.prepared.survey.usable:
        audio, _ = soundfile.read(track.path, dtype="float32")
        level = np.abs(audio.reshape(-1, 320)).mean(axis=1)
        found = store.read_layer(file_digest(track.path), 0, 0, 450)
        np.testing.assert_allclose(found, level[:, None] * np.arange(4, 7), rtol=1e-5)
        np.testing.assert_array_equal(encoded.features[file_digest(track.path)][:, 0], found)
    again = EveryFrame()
    assert _encode(clicks, again, layers=[1], features=FLOAT32).clips_encoded == again.clips == 0


@pytest.mark.parametrize("fault", ["first block", "last block", "description", "cut", "deleted"])
def test_a_damaged_track_of_frames_is_encoded_again_and_no_other(clicks: Path, fault: str) -> None:
    store = _frame_store(_encode(clicks, EveryFrame(), features=FLOAT32))
    files = sorted(store.folder.glob("??/*.frames"))
    before = {each: each.read_bytes() for each in files}
    hit, content = files[3], bytearray(before[files[3]])
    if fault == "deleted":
        hit.unlink()
    else:
        places = {"first block": 5, "last block": 450 * 2 * 3 * 4 - 1, "description": -20, "cut": 0}
        content[places[fault]] ^= fault != "cut"
        hit.write_bytes(content[: -1 if fault == "cut" else None])
    notes, encoder = _Notes(), EveryFrame()
    again = _encode(clicks, encoder, notes, features=FLOAT32)
    assert encoder.clips == again.clips_encoded == 1
    assert notes.stages["encode"] == [1, 1]
    assert any("fail their checksum" in each for each in notes.said) == fault.endswith("block")
    assert {each: each.read_bytes() for each in files} == before


def test_all_pieces_of_a_damaged_track_are_counted(clicks: Path) -> None:
    card = "name: Clicks\nkind: beat\nprotocols:\n  marble-v1:\n    clip_seconds: 1.6\n"
    (clicks / "task.yaml").write_text(
        card + "    batch_of: clips\n    frames: {context_seconds: 0.2}\n"
    )
    store = _frame_store(_encode(clicks, EveryFrame()))
    (hit, *_) = store.folder.glob("??/*.frames")
    content = bytearray(hit.read_bytes())
    content[100] ^= 1
    hit.write_bytes(content)
    notes = _Notes()
    assert _encode(clicks, EveryFrame(), notes).clips_encoded == 4  # 1.6, 1.6, 1.6 and 1.2 s
    assert notes.stages["encode"] == [4, 4]


def test_a_disk_that_spoils_frames_ends_the_run(
    clicks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = FrameStore.append

    def spoiled(self: FrameStore, *arguments: Any) -> int:
        written = real(self, *arguments)
        for each in self.folder.glob("??/*.frames"):
            content = bytearray(each.read_bytes())
            content[0] ^= 1
            each.write_bytes(content)
        return written

    monkeypatch.setattr(FrameStore, "append", spoiled)
    with pytest.raises(MarbleError, match=r"fail their checksum though.*Check the disk"):
        _encode(clicks, EveryFrame())
