"""Tasks with an estimate for every frame, from audio files to a result, as users run them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mir_eval
import numpy as np
import pytest
import soundfile
import torch

import marble_eval
from marble_eval.cli import main
from marble_eval.data.annotations.beat_files import Beats, beats_of
from marble_eval.errors import ValidationError
from marble_eval.results import Result, read_predictions, read_result

COMMAND = [sys.executable, "-m", "marble_eval"]
SAMPLE_RATE = 1500  # Hz; both 25 and 75 frames a second are whole numbers of samples
CARD = """\
name: Clicks
kind: beat
metrics: {metrics}
protocols:
  marble-v1:
    clip_seconds: {clip_seconds}
    batch_of: clips
    learning_rates: [{rate}]
    max_epochs: {epochs}
    stop_patience: {stop}
    frames: {{decoder: {decoder}, batch_windows: {batch}, window_seconds: {window}}}
"""


def card(**changes: Any) -> str:
    rules = {
        "metrics": "[beat_f1, downbeat_f1]",
        "clip_seconds": 30.0,
        "rate": 0.05,
        "epochs": 20,
        "stop": 20,
        "decoder": "dbn",
        "batch": 4,
        "window": 4.0,
    }
    return CARD.format(**{**rules, **changes})


def write_clicks(
    root: Path,
    text: str,
    *,
    splits: Sequence[str] = ("train",) * 6 + ("valid",) * 3 + ("test",) * 3,
    seconds: float = 8.0,
    sample_rate: int = SAMPLE_RATE,
    click: float = 0.0,
) -> Path:
    """Write click tracks at random tempi, a louder click every fourth; beats on whole samples.

    A click is one sample, or a decaying tone of ``click`` seconds that a spectrum shows.
    """
    root.mkdir(parents=True, exist_ok=True)
    (root / "task.yaml").write_text(text)
    rng, rows = np.random.default_rng(0), ["path,beats,split"]
    for number, split in enumerate(splits):
        audio = 1e-4 * rng.standard_normal(round(seconds * sample_rate))
        period = 60 / rng.uniform(80, 160) * sample_rate
        beats = np.arange(rng.uniform(0.1, 0.4) * sample_rate, len(audio) - 100, period).round()
        length = max(1, round(click * sample_rate))
        for count, beat in enumerate(beats.astype(int)):
            time_s = np.arange(min(length, len(audio) - beat)) / sample_rate
            tone = np.cos(2 * np.pi * (1500 if count % 4 == 0 else 900) * time_s)
            decay = np.exp(-time_s / 0.02)
            audio[beat : beat + len(tone)] += (0.8 if count % 4 == 0 else 0.4) * tone * decay
        soundfile.write(root / f"{number}.wav", audio, sample_rate)
        lines = [f"{beat / sample_rate:.9f} {at % 4 + 1}" for at, beat in enumerate(beats)]
        (root / f"{number}.beats").write_text("\n".join(lines) + "\n")
        rows.append(f"{number}.wav,{number}.beats,{split}")
    (root / "tracks.csv").write_text("\n".join(rows) + "\n")
    return root


class Indicator:
    """An encoder that knows nothing but whether a click falls into a frame, and into those near."""

    sample_rate, width = SAMPLE_RATE, 10
    layers: Sequence[str] = ("clicks",)

    def __init__(self, frame_rate: float) -> None:
        self.frame_rate, self.name = frame_rate, f"indicator-{frame_rate:g}"

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        frames = round(audio.shape[1] * self.frame_rate / self.sample_rate)
        found = torch.zeros(len(audio), 1, frames, self.width)
        for column, loudness in enumerate((0.2, 0.6)):
            clip, sample = torch.nonzero(audio > loudness, as_tuple=True)
            nearest = (sample * self.frame_rate / self.sample_rate + 0.5).floor().long()
            for near in range(-2, 3):
                at = nearest + near
                inside = (at >= 0) & (at < frames)
                found[clip[inside], 0, at[inside], 5 * column + near + 2] = 1
        return found

    def fingerprint(self) -> str:
        return self.name


class Blurred:
    """Three layers in which the clicks are ever clearer."""

    name, sample_rate, frame_rate, width = "blurred", SAMPLE_RATE, 75.0, 10
    layers: Sequence[str] = ("0", "1", "2")

    def __init__(self) -> None:
        self.inner = Indicator(75.0)

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        clear = self.inner.hidden_states(audio)[:, 0]
        noise = torch.randn(clear.shape, generator=torch.Generator().manual_seed(0))
        return torch.stack([at * clear + 1.5 * noise for at in (0.0, 1.0, 2.0)], dim=1)

    def fingerprint(self) -> str:
        return "blurred"


def result_in(folder: Path) -> tuple[Path, Result]:
    (path,) = folder.rglob("result.json")
    return path, read_result(path)


def beat_scores(reference: Beats, estimate: Beats) -> dict[str, float]:
    """Compute mir_eval's own measures of one track."""
    return {
        "beat_f1": mir_eval.beat.f_measure(reference.beats, estimate.beats),
        "beat_f1_20ms": mir_eval.beat.f_measure(
            reference.beats, estimate.beats, f_measure_threshold=0.02
        ),
        "downbeat_f1": mir_eval.beat.f_measure(reference.downbeats, estimate.downbeats),
        **dict(
            zip(
                ("beat_cmlc", "beat_cmlt", "beat_amlc", "beat_amlt"),
                mir_eval.beat.continuity(reference.beats, estimate.beats),
                strict=True,
            )
        ),
        "beat_information_gain": mir_eval.beat.information_gain(reference.beats, estimate.beats),
    }


@pytest.fixture(scope="module")
def clicks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of click tracks that a spectrum shows, with a card of two lines and few epochs."""
    text = card(metrics="[]", rate=0.01, epochs=12, decoder="dbn", batch=2)
    root = tmp_path_factory.mktemp("data") / "clicks"
    return write_clicks(root, text, seconds=6.0, sample_rate=8000, click=0.1)


def test_from_audio_files_to_scores_that_the_table_gives_again(
    clicks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The real command with the built-in spectrum: result, predictions, and a second run."""
    results = tmp_path / "results"
    job = ["run", f"task={clicks}", "encoder=mel", "probe=linear", "seeds=2", f"results={results}"]
    done = subprocess.run([*COMMAND, *job], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    path, result = result_in(results)
    assert str(path) in done.stdout
    assert result.task.kind == "beat" and result.protocol.conforms
    assert (result.features.frame_rate, result.features.pooling) == (75.0, "75 frames a second")
    assert result.counts.scored == 3 and result.features.clips == 12
    assert result.metrics["beat_f1"].value > 0.6, "clicks in a spectrum are no riddle"
    assert next(iter(result.metrics)) == "beat_f1" and len(result.metrics) == 16
    assert result.remarks[-1] == (
        "epoch and learning rate chosen by F-measure of peaks, with a tenth of likelihood, on "
        "validation, the layer by beat_f1"
    )

    table = read_predictions(path)
    assert sorted(set(table["split"])) == ["test", "valid"]
    for at, seed in enumerate(result.choices.seeds):
        rows = table[(table["split"] == "test") & (table["seed"] == seed)]
        pairs = zip(rows["reference"], rows["estimate"], strict=True)
        of_tracks = [beat_scores(beats_of(one), beats_of(two)) for one, two in pairs]
        assert len(of_tracks) == 3
        for name in of_tracks[0]:
            expected = np.mean([each[name] for each in of_tracks])
            assert result.metrics[name].seed_values[at] == pytest.approx(expected, abs=1e-9)

    assert main(job) == 0
    told = capsys.readouterr()
    assert "finished already" in told.err
    assert told.out == done.stdout


@pytest.mark.parametrize(
    ("choice", "deviation"),
    [
        ("frames.trim_seconds=3", "frames.trim_seconds is 3.0, marble-v1 has 0.0"),
        ("frames.decoder=peaks", "frames.decoder is peaks, marble-v1 has dbn"),
    ],
)
def test_other_rules_of_frames_are_run_and_recorded(
    clicks: Path, tmp_path: Path, choice: str, deviation: str
) -> None:
    job = [f"task={clicks}", "encoder=mel", "probe=linear", "seeds=1", f"results={tmp_path}"]
    assert main(["run", *job, choice]) == 0
    path, result = result_in(tmp_path)
    assert result.protocol.deviation_sentences == (deviation,)
    assert not result.protocol.conforms
    trim = 3.0 if "trim" in choice else 0.0
    rows = read_predictions(path).query("split == 'test'")
    expected = [
        mir_eval.beat.f_measure(
            *(mir_eval.beat.trim_beats(beats_of(each).beats, trim) for each in pair)
        )
        for pair in zip(rows["reference"], rows["estimate"], strict=True)
    ]
    assert result.metrics["beat_f1"].value == pytest.approx(np.mean(expected), abs=1e-9)


@pytest.mark.parametrize(
    ("choice", "rule"),
    [
        ("frames.decoder=x", "'decoder' must be 'dbn' or 'peaks' or null. Got 'x'."),
        ("frames.tempo=[200,100]", "'tempo' must rise"),
        ("frames.tempo=[55,100000]", "'tempo' must rise"),
        ("frames.widening=[2]", "'widening' must lie between 0 and 1"),
        ("frames.taste=[2]", "taste"),
        ("probe=logreg", "probe=logreg serves kinds with the loss cross-entropy and one estimate"),
    ],
)
def test_rules_that_make_no_sense_are_usage_errors(
    clicks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], choice: str, rule: str
) -> None:
    assert main(["run", f"task={clicks}", "encoder=mel", f"results={tmp_path}", choice]) == 2
    assert rule in capsys.readouterr().err
    assert not list(tmp_path.rglob("result.json"))


@pytest.mark.parametrize("decoder", ["dbn", "peaks"])
def test_an_encoder_at_25_hz_scores_as_one_at_75_hz_that_knows_the_same(
    tmp_path: Path, decoder: str
) -> None:
    """The same footing: outputs are brought to one rate, references stay as they are."""
    # Many steps in an epoch: of epochs in which all peaks are right the first is kept.
    text = card(decoder=decoder, window=1.0, batch=1, rate=0.2, epochs=3)
    root = write_clicks(tmp_path / "clicks", text, seconds=12.0)
    results = [
        marble_eval.evaluate(Indicator(rate), str(root), probe="linear", seeds=1)
        for rate in (25.0, 75.0)
    ]
    slow, fast = ({name: s.value for name, s in each.metrics.items()} for each in results)
    assert slow["beat_f1"] > 0.95 and slow["downbeat_f1"] > 0.85
    assert slow["beat_f1"] == pytest.approx(fast["beat_f1"], abs=0.02)
    assert slow["downbeat_f1"] == pytest.approx(fast["downbeat_f1"], abs=0.1)
    for each in results:
        assert each.features.frame_rate == float(each.encoder.frame_rate)
        assert [score.ceiling for score in each.metrics.values()] == [1.0, 1.0]


def test_a_rate_too_low_for_the_window_lowers_the_ceiling_and_the_score(tmp_path: Path) -> None:
    """At 5 Hz a beat is known to 0.1 s: the window of 0.07 s misses a third of them."""
    root = write_clicks(tmp_path / "clicks", card(decoder="peaks", epochs=5))
    result = marble_eval.evaluate(Indicator(5.0), str(root), probe="linear", seeds=1)
    ceiling = result.metrics["beat_f1"].ceiling
    assert ceiling is not None
    assert result.metrics["beat_f1"].value < ceiling + 0.1
    assert 0.4 < ceiling < 0.9


def scores_of(result: Result) -> dict[str, Any]:
    """Return all that a result says of scores."""
    return {
        "metrics": result.metrics,
        "layers": result.layers,
        "grid": result.grid,
        "chosen": result.chosen,
        "remarks": result.remarks,
    }


def test_layers_taken_in_turn_score_the_same_and_leave_nothing_behind(tmp_path: Path) -> None:
    text = card(decoder="peaks", window=1.0, batch=1, rate=0.1, epochs=4)
    root = write_clicks(tmp_path / "clicks", text)
    home = tmp_path / "home" / "features"
    # 12 tracks of 600 frames of 10 numbers of 2 bytes: 144 kB a layer, of which two fit.
    little = {"max_bytes": 3e5, "in_turn": True}
    options: dict[str, Any] = {"probe": "linear", "seeds": 2, "layers": [0, 1, 2]}
    in_turn = marble_eval.evaluate(Blurred(), str(root), features=little, **options)
    assert not list(home.rglob("*.frames"))
    at_once = marble_eval.evaluate(Blurred(), str(root), **options)
    assert scores_of(in_turn) == scores_of(at_once)
    assert [each.layer for each in at_once.layers] == ["0", "1", "2"]
    assert at_once.chosen.layer == "2"
    assert in_turn.cost.clips_encoded == 24  # in two turns
    assert in_turn.cost.feature_bytes == at_once.cost.feature_bytes
    assert at_once.cost.feature_bytes == pytest.approx(3 * 144e3, rel=0.01)
    assert list(home.rglob("*.frames"))


def test_a_store_that_was_there_before_survives_the_turn_that_reads_it(tmp_path: Path) -> None:
    root = write_clicks(tmp_path / "clicks", card(decoder="peaks", window=1.0, epochs=1))
    home = tmp_path / "home" / "features"
    options: dict[str, Any] = {"probe": "linear", "seeds": 1}
    marble_eval.evaluate(Blurred(), str(root), layers=[0, 1], **options)
    (before,) = home.iterdir()
    kept = {each: each.read_bytes() for each in before.rglob("*") if each.is_file()}
    little = {"max_bytes": 3e5, "in_turn": True}  # two layers fit: those, and then the third
    in_turn = marble_eval.evaluate(
        Blurred(), str(root), features=little, layers=[0, 1, 2], **options
    )
    assert in_turn.cost.clips_encoded == 12  # of the second turn alone
    assert {each: each.read_bytes() for each in before.rglob("*") if each.is_file()} == kept
    assert list(home.iterdir()) == [before]


def test_beats_without_downbeats_are_scored_as_beats(tmp_path: Path) -> None:
    """A user's own file may have times alone: what is not annotated has no score."""
    root = write_clicks(tmp_path / "clicks", card(metrics="[]", decoder="peaks", epochs=3))
    for each in root.glob("*.beats"):
        times = [line.split()[0] for line in each.read_text().splitlines()]
        each.write_text("\n".join(times) + "\n")
    options: dict[str, Any] = {"probe": "linear", "seeds": 1, "results": tmp_path / "results"}
    result = marble_eval.evaluate(Indicator(75.0), str(root), **options)
    assert len(result.metrics) == 8
    assert all(name.startswith("beat_") for name in result.metrics)
    (said,) = [each for each in result.remarks if "downbeat_f1" in each]
    assert said.startswith("no test track has a reference for downbeat_f1, ")


def test_audio_that_ends_early_is_told(tmp_path: Path) -> None:
    root = write_clicks(tmp_path / "clicks", card(decoder="peaks", epochs=1))
    for number in (2, 10):
        with (root / f"{number}.beats").open("a") as stream:
            stream.write("9.5 1\n")
    result = marble_eval.evaluate(Indicator(75.0), str(root), probe="linear", seeds=1)
    assert "audio that ends before its annotation: 2, 10" in [
        each.replace(".wav", "") for each in result.remarks
    ]


def test_references_lost_in_decoding_leave_nothing_to_score(tmp_path: Path) -> None:
    """The one test track with downbeats cannot be encoded, which only decoding finds out."""
    root = write_clicks(tmp_path / "clicks", card(metrics="[downbeat_f1]", epochs=1))
    for number in (10, 11):
        file = root / f"{number}.beats"
        file.write_text("\n".join(each.split()[0] for each in file.read_text().splitlines()))
    soundfile.write(root / "9.wav", np.zeros(8 * SAMPLE_RATE), SAMPLE_RATE)
    options: dict[str, Any] = {"probe": "linear", "seeds": 1, "missing": "report"}
    with pytest.raises(ValidationError, match="test split must have references that downbeat_f1"):
        marble_eval.evaluate(Indicator(75.0), str(root), **options)


WIDE = '''\
"""An encoder of random layers that costs next to nothing."""
import torch


class Wide:
    name, sample_rate, frame_rate, width = "wide", 1500, 75.0, 384
    layers = ("0", "1", "2")

    def __init__(self):
        self.project = torch.randn(20, 3 * 384, generator=torch.Generator().manual_seed(0)) / 4

    def hidden_states(self, audio):
        frames = audio[:, : audio.shape[1] // 20 * 20].unflatten(1, (-1, 20))
        return (frames @ self.project).unflatten(2, (3, 384)).transpose(1, 2)

    def fingerprint(self):
        return "wide"
'''
MEASURED = """\
import re
import sys
from pathlib import Path
from marble_eval.cli import main
code = main(sys.argv[1:])
print("peak", re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text()).group(1))
sys.exit(code)
"""


def peak_megabytes(root: Path, tracks: int) -> tuple[float, float]:
    """Run a whole job in a process of its own; MB of its peak memory, and of its features."""
    # 15 s have 1,125 frames of 3 layers of 384 numbers of 2 bytes: 2.6 MB a track.
    text = card(metrics="[beat_f1]", epochs=2, decoder="peaks", batch=64)
    splits = [("train", "train", "train", "train", "valid", "test")[at % 6] for at in range(tracks)]
    write_clicks(root / "clicks", text, splits=splits, seconds=15.0)
    (root / "wide.py").write_text(WIDE)
    (root / "measured.py").write_text(MEASURED)
    job = [f"task={root / 'clicks'}", "encoder.target=wide:Wide", "probe=linear", "seeds=1"]
    done = subprocess.run(
        [sys.executable, "measured.py", "run", *job, "engine.workers=1"],
        cwd=root,
        env={**os.environ, "MARBLE_EVAL_HOME": str(root / "home"), "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    stored = sum(each.stat().st_size for each in (root / "home").rglob("*.frames"))
    return float(done.stdout.split()[-1]) / 1000, stored / 1e6


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peak memory is read from /proc, as Linux has it"
)
def test_ten_times_the_data_takes_no_more_memory(tmp_path: Path) -> None:
    """Frames held in memory would add half as much again to what the smaller run takes."""
    small, few = peak_megabytes(tmp_path / "small", 12)
    large, many = peak_megabytes(tmp_path / "large", 120)
    assert many == pytest.approx(10 * few, rel=0.01) and many > 300
    assert many - few > 0.4 * small, "the case is too small to tell"
    assert large < 1.2 * small


def test_interrupt_while_training_keeps_finished_work_and_exits_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_clicks(tmp_path / "clicks", card(epochs=10**6, stop=10**6, decoder="peaks"))
    (tmp_path / "indicator.py").write_text(
        "from tests.runs.test_training import Indicator\n"
        "class At75(Indicator):\n"
        "    def __init__(self):\n"
        "        super().__init__(75.0)\n"
    )
    job = ["run", f"task={root}", "encoder.target=indicator:At75", "probe=mlp", "seeds=1"]
    job.append(f"results={tmp_path / 'results'}")
    repository = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), repository])}
    with subprocess.Popen(
        [*COMMAND, *job], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        told = ""
        while "min for 1000000 epochs" not in told:  # which is said after the first
            line = process.stderr.readline()
            assert line, told
            told += line
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        told += process.communicate(timeout=30)[1]
    assert time.monotonic() - began < 10
    assert process.returncode == 130, told
    assert "finished work is kept" in told
    assert not list(tmp_path.rglob("result.json"))

    (root / "task.yaml").write_text(card(epochs=2, decoder="peaks"))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(job) == 0
    assert "12 clips from the cache, 0 to encode" in capsys.readouterr().err
    _, result = result_in(tmp_path / "results")
    assert result.cost.clips_encoded == 0
