"""A probe of another package's, chosen on the command line: its result is scikit-learn's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from marble_eval.cli import main
from marble_eval.report.paper.bibliography import bibliography
from marble_eval.results import Result, read_predictions, read_result

PACKAGE = Path(__file__).parent / "package"
CARD = """\
name: Levels
kind: regression
labels: [level, pitch]
metrics: [r2]
protocols:
  marble-v1: {clip_seconds: 0.5, tail_seconds: 0.5}
"""
RATE = 8000
SPLITS = ("train",) * 24 + ("valid",) * 12 + ("test",) * 12
ALPHAS = (0.01, 1.0, 100.0)


class Moments:
    """An encoder of three layers: powers of the samples and of their differences, per frame."""

    name, sample_rate, frame_rate, width = "moments", RATE, 100.0, 4
    layers: Sequence[str] = ("0", "1", "2")

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        frames = audio.unfold(1, 80, 80)
        both = (frames.abs(), frames.diff(dim=2).abs())
        powers = [(each**power).mean(dim=2) for each in both for power in (1, 2)]
        found = torch.stack(powers, dim=2)
        return torch.stack([found[:, :, :1].expand_as(found), found, found.sqrt()], dim=1)

    def fingerprint(self) -> str:
        return "moments"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lay the package out as pip installs it: its modules, and its entry points beside them."""
    facts = tmp_path / "site" / "marble_tones-0.3.dist-info"
    facts.mkdir(parents=True)
    (facts.parent / "marble_tones").symlink_to(PACKAGE / "marble_tones")
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: marble-tones\nVersion: 0.3\n")
    text = (PACKAGE / "pyproject.toml").read_text()
    assert '[project.entry-points."marble_eval.probes"]\nridge = "marble_tones.ridge:Ridge"' in text
    entry = "[marble_eval.probes]\nridge = marble_tones.ridge:Ridge\n"
    (facts / "entry_points.txt").write_text(entry)
    monkeypatch.syspath_prepend(facts.parent)


@pytest.fixture
def labels(tmp_path: Path) -> np.ndarray:
    """Write tones of two or three clips; return their level and pitch (track, dimension)."""
    folder, found = tmp_path / "levels", []
    folder.mkdir()
    (folder / "task.yaml").write_text(CARD)
    rng, rows = np.random.default_rng(0), ["path,level,pitch,split"]
    for number, split in enumerate(SPLITS):
        level, pitch = rng.uniform(0.1, 0.9), rng.uniform(200, 2000)
        time = np.arange(RATE * (2 + number % 2) // 2) / RATE
        tone = level * np.sin(2 * np.pi * pitch * time) + 0.05 * rng.normal(size=len(time))
        soundfile.write(folder / f"{number}.wav", tone, RATE, subtype="FLOAT")
        rows.append(f"{number}.wav,{float(level)!r},{float(pitch)!r},{split}")
        found.append((level, pitch))
    (folder / "tracks.csv").write_text("\n".join(rows) + "\n")
    return np.array(found)


def embeddings(folder: Path) -> list[np.ndarray]:
    """Encode the clips of every track: (layer, clip, width), in half precision as they are kept."""
    found = []
    for number in range(len(SPLITS)):
        audio, _ = soundfile.read(folder / f"{number}.wav", dtype="float32")
        clips = torch.from_numpy(audio).view(-1, RATE // 2)
        pooled = Moments().hidden_states(clips).mean(dim=2)
        found.append(pooled.half().float().numpy().transpose(1, 0, 2))
    return found


def run(folder: Path, *words: str) -> int:
    target = "encoder.target=tests.plugin.test_probe:Moments"
    return main(["run", f"task={folder}/levels", target, f"results={folder}/results", *words])


def result_in(folder: Path) -> tuple[Path, Result]:
    (path,) = (folder / "results").rglob("result.json")
    return path, read_result(path)


@pytest.mark.usefixtures("installed")
def test_a_ridge_regression_from_a_package_gives_what_scikit_learn_gives(
    labels: np.ndarray, tmp_path: Path
) -> None:
    assert run(tmp_path, "probe=ridge", "+probe.alphas=[0.01,1.0,100]") == 0
    path, result = result_in(tmp_path)
    features, split = embeddings(tmp_path / "levels"), np.array(SPLITS)
    mean, deviation = labels[split == "train"].mean(0), labels[split == "train"].std(0)

    def outputs(model: Ridge, layer: int, name: str) -> np.ndarray:
        of_tracks = [features[at][layer] for at in np.flatnonzero(split == name)]
        means = np.stack([model.predict(each).mean(0) for each in of_tracks])
        return np.asarray(means * deviation + mean)

    models, scores = {}, {}
    for layer in range(3):
        train = np.flatnonzero(split == "train")
        rows = np.concatenate([features[at][layer] for at in train])
        goals = np.repeat((labels[train] - mean) / deviation, [len(features[at][layer]) for at in
                          train], axis=0)  # fmt: skip
        for alpha in ALPHAS:
            models[layer, alpha] = Ridge(alpha=alpha).fit(rows, goals)
            valid = outputs(models[layer, alpha], layer, "valid")
            scores[layer, alpha] = r2_score(labels[split == "valid"], valid)
    found = {(int(each.layer), each.setting): each.valid for each in result.grid}
    assert found == pytest.approx(scores, abs=1e-6)
    best = max(scores, key=lambda each: scores[each])
    assert (int(result.chosen.layer), result.chosen.setting) == best
    assert result.chosen.seeds == (1234,), "ridge regression draws no random numbers"
    # All that a report needs is in the record: whoever reads it need not have the package.
    record = result.probe
    assert (record.name, record.setting, record.options) == ("ridge", "alpha", {"alphas": ALPHAS})
    assert (record.description, record.reads_sum) == ("ridge regression", False)
    assert "@article{hoerl1970" in bibliography([path])
    expected = outputs(models[best], best[0], "test")
    table = read_predictions(path)
    given = table[table["split"] == "test"][["output_0", "output_1"]].to_numpy()
    np.testing.assert_allclose(given, expected, rtol=1e-5)
    value = r2_score(labels[split == "test"], expected)
    assert result.metrics["r2"].value == pytest.approx(value, abs=1e-6)
    assert 0.5 < value < 1, "the task asks nothing"


@pytest.mark.usefixtures("installed", "labels")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["probe=rigde"], "no probe is called 'rigde'. Did you mean 'ridge'?"),
        (["probe=ridge", "+probe.alpha=[1.0]"], "unknown name 'alpha'. Did you mean 'alphas'?"),
        (["probe=ridge", "+probe.alphas=many"], "probe ridge: 'alphas' must be a list. Got 'many'"),
    ],
)
def test_a_near_miss_is_named(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, *words) == 2
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("installed")
def test_a_kind_that_the_probe_does_not_serve_is_refused_before_anything_is_encoded(
    small_task: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", f"task={small_task}", "encoder=mel", "probe=ridge"]) == 2
    told = capsys.readouterr().err
    assert "probe=ridge serves kinds with the loss squared-error and one estimate per track" in told
    assert "Got the kind classification (cross-entropy)" in told
    assert not list((tmp_path / "home").rglob("data.bin"))
