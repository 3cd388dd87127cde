"""`marble-eval convert-fairseq`: the folder is there whole or not at all; encoder.path takes it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from marble_eval.cli import main
from marble_eval.registry import load_encoder
from tests.encoders.test_fairseq import POST_NORM, checkpoint


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return checkpoint(tmp_path, POST_NORM)[0]


def test_the_folder_is_an_encoder(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "out"
    assert main(["convert-fairseq", str(source), str(out)]) == 0
    told = capsys.readouterr().out
    assert "2 layers of 32" in told and "800 frames a second" in told
    assert "final_proj.weight" in told
    encoder = load_encoder("mert-v1-95m", path=str(out), name="mine", device="cpu")
    assert (encoder.width, len(encoder.layers), encoder.sample_rate) == (32, 3, 16000)
    assert encoder.hidden_states(torch.zeros(1, 4000)).shape[1] == 3


def test_a_folder_that_is_there_is_kept_unless_it_is_to_be_replaced(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["convert-fairseq", str(source), str(out)]) == 0
    (out / "note").touch()
    assert main(["convert-fairseq", str(source), str(out)]) == 2
    assert (out / "note").exists()
    assert main(["convert-fairseq", str(source), str(out), "--force"]) == 0
    assert not (out / "note").exists() and (out / "model.safetensors").is_file()
    other = tmp_path / "precious"
    other.mkdir()
    (other / "work").touch()
    assert main(["convert-fairseq", str(source), str(other), "--force"]) == 2
    assert "no config.json" in capsys.readouterr().err and (other / "work").exists()


def test_what_fails_leaves_nothing_behind(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source.write_bytes(source.read_bytes()[:20000])
    before = sorted(tmp_path.iterdir())
    assert main(["convert-fairseq", str(source), str(tmp_path / "out")]) == 3
    assert main(["convert-fairseq", str(tmp_path / "none.pt"), str(tmp_path / "out")]) == 3
    assert main(["convert-fairseq", str(tmp_path), str(tmp_path / "out")]) == 3
    assert sorted(tmp_path.iterdir()) == before
    assert "It is not there" in capsys.readouterr().err


def test_a_full_disk_is_told_and_leaves_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("safetensors.torch.save_file", full)
    assert main(["convert-fairseq", str(source), str(tmp_path / "out")]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert sorted(each.name for each in tmp_path.iterdir()) == [source.name]


def test_code_in_a_checkpoint_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return os.system, (f"touch {tmp_path}/mark",)

    torch.save({"model": {}, "cfg": Evil()}, tmp_path / "evil.pt")
    assert main(["convert-fairseq", str(tmp_path / "evil.pt"), str(tmp_path / "out")]) == 2
    assert "It names 'posix.system'" in capsys.readouterr().err
    assert not (tmp_path / "mark").exists()
