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
    assert "waveforms as they are" in told and told.rstrip().endswith("encoder.normalise=false")
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
    assert main(["convert-fairseq", str(source), str(out), "--force"]) == 2
    assert "Got 'note'" in capsys.readouterr().err and (out / "note").exists()
    (out / "note").unlink()
    (out / "config.json").write_text("{}")
    assert main(["convert-fairseq", str(source), str(out), "--force"]) == 0
    assert len((out / "config.json").read_text()) > 2 and (out / "model.safetensors").is_file()
    assert sorted(each.name for each in tmp_path.iterdir()) == [source.name, "out"]


@pytest.mark.parametrize("named", ["the folder", "."])
def test_the_checkpoint_is_never_deleted_with_its_folder(
    named: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    out = "." if named == "." else str(tmp_path)
    assert main(["convert-fairseq", str(source), out, "--force"]) == 2
    assert source.is_file() and (tmp_path / "config.json").is_file()


def test_the_old_folder_stays_if_the_new_one_cannot_take_its_place(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert main(["convert-fairseq", str(source), str(out)]) == 0
    before = (out / "model.safetensors").read_bytes()
    whole = Path.replace

    def failing(self: Path, target: Path) -> Path:
        if target == out and not self.name.endswith(".old"):
            raise OSError(5, os.strerror(5))
        return whole(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    assert main(["convert-fairseq", str(source), str(out), "--force"]) == 1
    assert (out / "model.safetensors").read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == [source.name, "out"]


def test_a_path_that_no_disk_takes_is_one_sentence(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert-fairseq", str(source), str(tmp_path / ("x" * 300))]) == 2
    assert main(["convert-fairseq", "x" * 300, str(tmp_path / "out")]) == 3
    assert capsys.readouterr().err.count("File name too long") == 2


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
