"""Hold an encoder against what the harness asks of one: green and red lines.

The audio is made here from a seed: noise, a fading clip, a square wave at full scale,
silence, clicks and a constant. Whatever an encoder raises is a red line, so that one
mistake does not hide the others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from marble_eval.encoders import facts_of, normalises
from marble_eval.registry.configuration import config_names

if TYPE_CHECKING:
    from marble_eval.encoders import Encoder

_CLOSE = 1e-4  # of the layer's largest value: other sums of the same products differ by less
_SPEED_SECONDS = 10.0
#: Rules without which no feature means anything; they take some seconds.
QUICK = ("members", "shape", "frame rate", "determinism", "finite", "fingerprint")


class Check(NamedTuple):
    """One rule, and whether it is kept.

    Attributes
    ----------
    name : str
        Of the rule.
    ok : bool
        Whether it is kept.
    said : str
        What was found.
    """

    name: str
    ok: bool
    said: str


class _Broken(Exception):
    """A rule is broken; the message says how."""


def check(
    encoder: Encoder, again: Encoder | None = None, rules: Collection[str] | None = None
) -> list[Check]:
    """Try an encoder, and the same loaded ``again``; by some rules alone, or by all."""
    known: dict[str, Callable[[], str]] = {
        "members": lambda: _members(encoder),
        "shape": lambda: _shape(encoder),
        "frame rate": lambda: _frame_rate(encoder),
        "determinism": lambda: _determinism(encoder, again),
        "batches": lambda: _batches(encoder),
        "padding": lambda: _padding(encoder),
        "finite": lambda: _finite(encoder),
        "layers": lambda: _layers(encoder),
        "shortest clip": lambda: _shortest(encoder),
        "threads": lambda: _threads(encoder),
        "side effects": lambda: _side_effects(encoder),
        "fingerprint": lambda: _fingerprint(encoder, again),
        "speed": lambda: _speed(encoder),
    }
    found = []
    for name, rule in known.items():
        if rules is not None and name not in rules:
            continue
        try:
            found.append(Check(name, True, rule()))
        except _Broken as error:
            found.append(Check(name, False, str(error)))
        except Exception as error:  # whatever somebody's encoder may raise
            found.append(Check(name, False, f"{type(error).__name__}: {error}"))
    return found


def clips(encoder: Encoder, seconds: float = 2.0) -> torch.Tensor:
    """Make noise, noise that fades in, a square wave at full scale: (3, samples)."""
    rng, samples = np.random.default_rng(5), round(seconds * encoder.sample_rate)
    noise = 0.1 * rng.standard_normal((3, samples))
    noise[1] *= np.linspace(0.0, 1.0, samples)
    noise[2] = np.sign(np.sin(np.arange(samples) * 0.05))
    audio = torch.from_numpy(noise.astype(np.float32))
    return audio.to(_device_of(encoder))


def _device_of(encoder: Encoder) -> torch.device:
    """Ask the encoder itself: a card that is none must be one red line, not all of them."""
    return torch.device(getattr(encoder, "device", "cpu"))


def _hidden(encoder: Encoder, audio: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        states = encoder.hidden_states(audio)
    return states.detach().float().cpu()


def _distance(one: torch.Tensor, other: torch.Tensor) -> float:
    """Return the largest difference, relative to the largest value of each layer."""
    scale = one.abs().amax(dim=(0, 2, 3), keepdim=True).clamp_min(1e-12)
    return float(((one - other) / scale).abs().max())


def _members(encoder: Encoder) -> str:
    kinds = {"name": str, "sample_rate": int, "width": int}
    for name, kind in kinds.items():
        if not isinstance(getattr(encoder, name, None), kind):
            raise _Broken(f"{name!r} must be of type {kind.__name__}.")
    for name in ("sample_rate", "frame_rate", "width"):
        if not getattr(encoder, name) > 0:
            raise _Broken(f"{name!r} must be positive. Got {getattr(encoder, name)!r}.")
    layers = list(encoder.layers)
    if len(set(layers)) != len(layers) or not layers or not all(map(str, layers)):
        raise _Broken(f"'layers' must be different names. Got {layers!r}.")
    for protocol in config_names("protocol"):
        normalises(encoder, protocol)
    licence = facts_of(encoder).card.licence
    return f"{encoder.name}: {len(layers)} layers of {encoder.width}, licence {licence}"


def _shape(encoder: Encoder) -> str:
    states = _hidden(encoder, clips(encoder))
    expected = (3, len(encoder.layers), states.shape[-2], encoder.width)
    if tuple(states.shape) != expected:
        raise _Broken(
            f"hidden_states must be (batch, layer, frame, width) = (3, {len(encoder.layers)}, "
            f"frames, {encoder.width}). Got {tuple(states.shape)}."
        )
    return "x".join(map(str, states.shape)) + " for 3 clips of 2 s"


def _frame_rate(encoder: Encoder) -> str:
    seconds, minimum = (1.0, 2.5, 5.0), int(getattr(encoder, "minimum_samples", 1))
    for each in seconds:
        audio = clips(encoder, each)
        frames = _hidden(encoder, audio).shape[2]
        hops = (audio.shape[1] - minimum) * encoder.frame_rate / encoder.sample_rate
        expected = 1 + max(0.0, hops)
        if abs(frames - expected) > 2:
            raise _Broken(
                f"{each:g} s must give about {expected:.0f} frames, as "
                f"'frame_rate' {encoder.frame_rate:g} says. Got {frames}."
            )
    return f"{encoder.frame_rate:g} frames a second"


def _determinism(encoder: Encoder, again: Encoder | None) -> str:
    audio = clips(encoder)
    first = _hidden(encoder, audio)
    if not torch.equal(_hidden(encoder, audio), first):
        raise _Broken("the same audio must give the same numbers. Is it in train mode?")
    if again is not None and not torch.equal(_hidden(again, audio), first):
        raise _Broken("loaded anew it must give the same numbers. Are weights drawn at random?")
    return "the same numbers twice" + ("" if again is None else ", and loaded anew")


def _batches(encoder: Encoder) -> str:
    audio = clips(encoder)
    together = _hidden(encoder, audio)
    apart = torch.cat([_hidden(encoder, clip[None]) for clip in audio])
    distance = _distance(together, apart)
    if not distance < _CLOSE:
        raise _Broken(
            f"clips of a batch must not hear each other. They differ by {distance:.1e} from the "
            f"same clips one by one. Does a norm run over the batch?"
        )
    return f"a batch is its clips one by one, to {distance:.0e}"


def _padding(encoder: Encoder) -> str:
    """Tell what padding would do; the harness never pads, so it is no fault."""
    audio = clips(encoder)[:1]
    padded = torch.nn.functional.pad(audio, (0, audio.shape[1]))
    plain, longer = _hidden(encoder, audio), _hidden(encoder, padded)
    frames = min(plain.shape[2], longer.shape[2]) // 2
    distance = _distance(plain[:, :, :frames], longer[:, :, :frames])
    return f"zeros behind a clip change its first half by {distance:.0e}; clips are never padded"


def _finite(encoder: Encoder) -> str:
    samples = encoder.sample_rate
    cases = dict.fromkeys(("silence", "click", "constant", "faint noise"), torch.zeros(samples))
    cases["click"] = torch.nn.functional.one_hot(torch.tensor(samples // 2), samples).float()
    cases["constant"] = torch.ones(samples)
    cases["faint noise"] = clips(encoder, 1.0)[0].cpu() * 1e-7
    cases["full scale"] = clips(encoder, 1.0)[2].cpu()
    for name, clip in cases.items():
        states = _hidden(encoder, clip[None].to(clips(encoder, 0.1).device))
        if not torch.isfinite(states).all():
            raise _Broken(f"hidden states must be finite. Got nan or inf for {name}.")
        largest = float(states.abs().max())
        if largest > float(np.finfo(np.float16).max):
            raise _Broken(
                f"hidden states must fit float16. Got {largest:.1e} for {name}. Take "
                f"features.dtype=float32 in every run."
            )
    return ", ".join(cases)


def _layers(encoder: Encoder) -> str:
    means = _hidden(encoder, clips(encoder)).mean(dim=2)
    same = [
        str(name)
        for at, name in enumerate(encoder.layers)
        if torch.allclose(means[0, at], means[2, at], rtol=1e-3)
    ]
    if same:
        raise _Broken(f"noise and a tone must differ in every layer. The same in {same}.")
    return "every layer tells noise from a tone"


def _shortest(encoder: Encoder) -> str:
    samples = int(getattr(encoder, "minimum_samples", 1))
    frames = _hidden(encoder, clips(encoder)[:1, :samples].contiguous()).shape[2]
    if frames < 1:
        raise _Broken(
            f"a clip of {samples} samples must give a frame. Got none. Say 'minimum_samples'."
        )
    return f"{samples} samples give {frames} frames"


def _threads(encoder: Encoder) -> str:
    audio = clips(encoder, 1.0)
    alone = [_hidden(encoder, clip[None]) for clip in audio]
    found: list[torch.Tensor | None] = [None] * len(audio)

    def encode(at: int) -> None:
        found[at] = _hidden(encoder, audio[at][None])

    threads = [threading.Thread(target=encode, args=(at,)) for at in range(len(audio))]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for one, other in zip(alone, found, strict=True):
        if other is None or not _distance(one, other) < _CLOSE:
            raise _Broken("several threads at once must give the same numbers. It keeps state.")
    return "three at once give the same numbers"


def _side_effects(encoder: Encoder) -> str:
    audio = clips(encoder)
    kept, state = audio.clone(), torch.get_rng_state()
    numpy_state = repr(np.random.get_state())  # keys and place: drawing moves the place
    _hidden(encoder, audio)
    if not torch.equal(audio, kept):
        raise _Broken("the audio must be left as it is. It was changed in place.")
    changed = not torch.equal(torch.get_rng_state(), state)
    if changed or repr(np.random.get_state()) != numpy_state:
        raise _Broken("the random state must be left as it is. It moved.")
    return "audio and random state left alone"


def _fingerprint(encoder: Encoder, again: Encoder | None) -> str:
    first = encoder.fingerprint()
    if not isinstance(first, str) or not first:
        raise _Broken(f"fingerprint() must return a text. Got {first!r}.")
    if encoder.fingerprint() != first or (again is not None and again.fingerprint() != first):
        raise _Broken("fingerprint() must stay the same, also when it is loaded anew.")
    return first[:16]


def _speed(encoder: Encoder) -> str:
    audio = clips(encoder, _SPEED_SECONDS)[:1]
    began = time.perf_counter()
    _hidden(encoder, audio)
    seconds = time.perf_counter() - began
    device = _device_of(encoder)
    return (
        f"{_SPEED_SECONDS / seconds:.1f} s of audio a second on {device}, "
        f"{torch.get_num_threads()} threads"
    )
