"""Who encodes: which GPUs get a process, and what is said where that cannot be."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from marble_eval.errors import SpecError
from marble_eval.features.workers import engines
from marble_eval.features.workers.messages import WorkerOptions
from marble_eval.progress import Silence
from marble_eval.spec import EngineSpec


def _engine(device: str = "auto", processes: int = 0) -> EngineSpec:
    return EngineSpec(device, 0, 0, 2, 0, processes, None, None, None)


def _encoder(device: str) -> Any:
    shape = {"sample_rate": 8000, "frame_rate": 50.0, "layers": ("0",), "width": 1}
    return SimpleNamespace(name="some", device=torch.device(device), **shape)


@pytest.mark.parametrize(
    ("device", "engine", "gpus"),
    [
        ("cuda", _engine(), ["0", "1", "2"]),
        ("cuda", _engine("cuda"), ["0", "1", "2"]),
        ("cuda", _engine(processes=2), ["0", "1"]),
        ("cuda", _engine(processes=1), ["0"]),
        ("cuda:1", _engine("cuda:1"), []),
        ("cuda:0", _engine(), []),  # an encoder that somebody put there
        ("cpu", _engine(), []),
        ("cpu", _engine(processes=2), []),
    ],
)
def test_every_gpu_gets_a_process_unless_one_was_meant(
    device: str, engine: EngineSpec, gpus: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert engines._gpus_to_share(_encoder(device), engine) == gpus


def test_a_single_gpu_is_fed_by_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert engines._gpus_to_share(_encoder("cuda"), _engine()) == []


@pytest.mark.parametrize(
    ("device", "processes", "words"),
    [("cuda", 4, "not be more than the 3 GPUs"), ("cuda:1", 2, "must be 0 where one GPU is named")],
)
def test_processes_that_cannot_have_a_gpu_are_refused(
    device: str, processes: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    with pytest.raises(SpecError, match=words):
        engines._gpus_to_share(_encoder(device), _engine(processes=processes))


def test_an_encoder_that_cannot_be_sent_encodes_alone_and_that_is_said() -> None:
    said: list[str] = []

    class Notes(Silence):
        def say(self, sentence: str) -> None:
            said.append(sentence)

    encoder = _encoder("cuda")
    encoder.hook = lambda: None
    options = WorkerOptions((), 1, 1, 1)
    assert engines._setup(encoder, options, _engine(), Notes()) is None
    assert said[0].startswith("only one GPU encodes. encoder some: must be loaded by")
    with pytest.raises(SpecError, match="encoder some"):
        engines._setup(encoder, options, _engine(processes=2), Notes())
