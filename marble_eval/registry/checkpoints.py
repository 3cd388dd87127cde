"""A series of checkpoints of one training, as encoders in the order of their steps."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from marble_eval.encoders import facts_of
from marble_eval.encoders.checkpoints.released import RELEASED
from marble_eval.errors import MissingError, SpecError
from marble_eval.registry.configuration import config_names, read_config
from marble_eval.registry.encoders import load_encoder

if TYPE_CHECKING:
    from marble_eval.encoders import Encoder


class Checkpoint(NamedTuple):
    """A checkpoint, and its step of pre-training."""

    step: int
    path: Path


def checkpoint_series(pattern: str) -> list[Checkpoint]:
    """Find the checkpoints that a pattern means."""
    paths = [Path(each) for each in glob.glob(str(Path(pattern).expanduser()))]  # noqa: PTH207
    if not paths:
        raise MissingError(
            f"encoder.checkpoints: {pattern!r} must match folders or files. Nothing is there. "
            f"Quote the pattern, so that the shell leaves it alone."
        )
    found: dict[int, Path] = {}
    for path in sorted(paths):
        numbers = re.findall(r"\d+", path.stem if path.is_file() else path.name)
        if not numbers:
            raise SpecError(
                f"encoder.checkpoints: {path} must have its step in its name, as in step1000. "
                f"It has no number. Rename it, or take a pattern that leaves it out."
            )
        other = found.setdefault(int(numbers[-1]), path)
        if other != path:
            raise SpecError(
                f"encoder.checkpoints: each step must be there once. Got {other} and {path}. "
                f"Take a pattern that leaves one out."
            )
    return [Checkpoint(step, path) for step, path in sorted(found.items())]


def load_checkpoints(
    name: str | None, pattern: str, /, *, device: str, **options: Any
) -> Iterator[Encoder]:
    """Load the checkpoints of a series, each when its turn comes."""
    if options.get("path") is not None:
        raise SpecError(
            f"encoder.checkpoints: 'encoder.path' must be left out beside it. "
            f"Got {options['path']!r}."
        )
    series = checkpoint_series(pattern)
    shipped = read_config("encoder", name) if name in config_names("encoder") else {}
    given = {**shipped, **options}
    if "name" in given and str(given["name"] or "").casefold() in ("", *RELEASED):
        options["name"] = series[0].path.resolve().parent.name  # one name for the whole series
    return _loaded(name, series, {**options, "device": device})


def _loaded(
    name: str | None, series: list[Checkpoint], options: dict[str, Any]
) -> Iterator[Encoder]:
    for step, path in series:
        encoder = load_encoder(name, **{**options, "path": str(path)})
        with suppress(AttributeError):  # somebody's class may have slots
            encoder.step = step  # type: ignore[attr-defined]
            encoder.revision = f"step{step}-{facts_of(encoder).revision}"  # type: ignore[attr-defined]
        yield encoder
