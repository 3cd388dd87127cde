"""An encoder to start from: one file that works as it is, and a test that holds it to the rules."""

from __future__ import annotations

import re
from pathlib import Path

from marble_eval.errors import SpecError

_ENCODER = '''\
"""{title}: an encoder for marble-eval. Put your network where the stand-in is.

    marble-eval encoders check encoder.target={module}:load
    marble-eval run task=GTZAN task.root=/data/gtzan \\
                    encoder.target={module}:load encoder.path=WEIGHTS

What `load` takes are the options `encoder.NAME=VALUE` of the command line.
Resampling, cutting, normalising, pooling and caching happen outside.
"""

from __future__ import annotations

import torch

from marble_eval.files.fingerprint import weights_digest
from marble_eval.spec import EncoderCard

# What goes into every result. `overlap` names tasks whose data the weights have seen.
CARD = EncoderCard(
    licence="not stated",
    trained_on="nothing",
    citation="not stated",
    overlap={{}},
)


class Network(torch.nn.Module):
    """A stand-in: two layers of random weights. Replace it by yours."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = torch.nn.Conv1d(1, width, kernel_size=400, stride=320)
        self.second = torch.nn.Conv1d(width, width, kernel_size=3, padding=1)

    def forward(self, audio: torch.Tensor) -> list[torch.Tensor]:
        """Return the hidden states of every layer, each (batch, width, frame)."""
        first = torch.relu(self.first(audio.unsqueeze(1)))
        return [first, torch.relu(self.second(first))]


class {name}:
    """The network as marble-eval sees it (`marble_eval.encoders.Encoder`).

    It may be one that is being trained: marble_eval.evaluate puts it into evaluation mode
    and gives its modes back, and asks for the fingerprint anew.
    """

    def __init__(self, network: Network, device: torch.device) -> None:
        self.name = "{title}"
        self.sample_rate = 24000  # Hz of the audio it wants
        self.frame_rate = 24000 / 320  # frames of hidden states a second
        self.layers = ["first", "second"]  # in the order of hidden_states
        self.width = 64
        self.minimum_samples = 400  # the shortest clip it takes
        self.normalise = False  # True: the waveform with zero mean and unit variance
        self.revision = "1"  # which weights: shown in results
        self.card = CARD
        self.device = device  # where the audio is to be put
        self.network = network.to(device)  # its mode, training or not, is left alone
        self.parameters = sum(each.numel() for each in network.parameters())

    def hidden_states(self, audio: torch.Tensor) -> torch.Tensor:
        """Encode clips (batch, samples) to (batch, layer, frame, width)."""
        with torch.inference_mode():
            layers = self.network(audio)
        return torch.stack(layers, dim=1).transpose(2, 3)

    def fingerprint(self) -> str:
        """Return what identifies the numbers: weights, and what you do to audio.

        It is computed when asked, since weights may have changed. Raise the number when the
        same weights give other numbers.
        """
        tensors = [*self.network.named_parameters(), *self.network.named_buffers()]
        return f"{title}-1-{{weights_digest(tensors)}}"


def load(*, path: str | None = None, device: str = "auto") -> {name}:
    """Make the encoder: from weights, or with random ones to try things out."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        network = Network(width=64)
    if path is not None:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return {name}(network.eval(), torch.device(device))
'''

_TEST = '''\
"""Hold {title} to the rules of an encoder: python -m pytest {file}"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from marble_eval.runs.encoder_check import check
from marble_eval.runs.preserved_state import preserved_state

sys.path.insert(0, str(Path(__file__).parent))
from {module} import {name}, load

FOUND = check(load(device="cpu"), load(device="cpu"))


@pytest.mark.parametrize("rule", FOUND, ids=[each.name for each in FOUND])
def test_it_keeps_the_rule(rule) -> None:
    assert rule.ok, rule.said


def test_weights_changed_in_place_change_the_fingerprint() -> None:
    encoder = load(device="cpu")
    before = encoder.fingerprint()
    with torch.no_grad():
        next(encoder.network.parameters()).view(-1)[0] += 1e-6
    assert encoder.fingerprint() != before


def test_a_network_in_training_stays_in_training() -> None:
    network = load(device="cpu").network.train()
    encoder = {name}(network, torch.device("cpu"))
    assert network.training
    with preserved_state(encoder):  # as marble_eval.evaluate runs it
        assert not network.training
    assert network.training
'''


def write_encoder(path: Path) -> list[Path]:
    """Write an encoder, and ``test_NAME.py`` beside it; returns both files."""
    module = path.stem if path.suffix == ".py" else path.name
    if not re.fullmatch(r"[a-z][a-z0-9_]*", module):
        raise SpecError(
            f"{path}: an encoder's file must have a module's name: small letters, digits and _. "
            f"Got {module!r}. Take {re.sub(r'[^a-z0-9_]', '_', module.lower()) or 'my_encoder'!r}."
        )
    files = [path.with_name(f"{module}.py"), path.with_name(f"test_{module}.py")]
    there = [each for each in files if each.exists()]
    if there:
        raise SpecError(f"{there[0]}: must not be there yet. It is. Choose another name.")
    names = {
        "module": module,
        "title": module.replace("_", "-"),
        "name": "".join(each.capitalize() for each in module.split("_")),
        "file": files[1].name,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    for file, text in zip(files, (_ENCODER, _TEST), strict=True):
        file.write_text(text.format(**names), encoding="utf-8")
    return files
