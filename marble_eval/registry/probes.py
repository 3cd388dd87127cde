"""Find probes by name: `configs/probe/`, and other packages' entry points.

A package brings a probe by an entry point in the group ``marble_eval.probes`` that names
a frozen dataclass with the members of `marble_eval.probes.Probe`; its fields are the
probe's options.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from marble_eval.errors import SpecError, near_misses
from marble_eval.registry.configuration import config_names, read_config
from marble_eval.registry.plugins import imported, loaded, plugins_of
from marble_eval.results import ProbeRecord
from marble_eval.spec import FittedProbe, Probe, TrainedProbe, from_mapping

_MEMBERS = (
    *("name", "setting", "settings", "losses", "serves_frames", "reads_sum", "is_seeded"),
    *("description", "citation", "fit"),
)


def probe_names() -> tuple[str, ...]:
    """List the probes, built-in and from other packages, sorted."""
    return tuple(sorted({*config_names("probe"), *plugins_of("probe")}))


def load_probe(name: str, /, **options: Any) -> Probe:
    """Load a probe by its name, with options.

    Parameters
    ----------
    name : str
        One of `probe_names`.
    **options : object
        Fields of the probe's dataclass that are to differ from its config or its defaults.

    Returns
    -------
    Probe
        Ready for a run.

    Raises
    ------
    SpecError
        If the name or an option is unknown, or what was found is not a probe.

    Examples
    --------
    >>> load_probe("mlp", hidden=64).dropout
    0.2
    """
    subject = f"probe {name}"
    if name in config_names("probe"):
        values = read_config("probe", name)
        path = str(values.pop("target"))
        if options.pop("target", path) != path:
            raise SpecError(
                f"{subject}: 'target' must be {path!r}. A probe of your own comes by an entry "
                f"point in the group marble_eval.probes."
            )
        target = imported(path, subject)
        unknown = [each for each in options if each not in values]
        if unknown:
            raise SpecError(f"{subject}: unknown name {unknown[0]!r}. "
                            f"{near_misses(unknown[0], values)}")  # fmt: skip
        options = {**values, **options}
    else:
        points = plugins_of("probe")
        if name not in points:
            raise SpecError(f"no probe is called {name!r}. {near_misses(name, probe_names())}")
        target = loaded(points[name], subject)
    if not (isinstance(target, type) and dataclasses.is_dataclass(target)):
        raise SpecError(
            f"{subject}: must be a frozen dataclass. Got {target!r}. See marble_eval.probes.Probe."
        )
    if "name" in {each.name for each in dataclasses.fields(target)}:
        options = {**options, "name": name}
    else:
        options.pop("name", None)
    probe = check_probe(from_mapping(target, options, subject), subject)
    if probe.name != name:
        raise SpecError(f"{subject}: 'name' must be {name!r}, by which it is found. "
                        f"Got {probe.name!r}.")  # fmt: skip
    return probe


def check_probe(probe: object, subject: str) -> Probe:
    """Refuse an object that is not a probe, naming what it lacks."""
    if isinstance(probe, FittedProbe | TrainedProbe):
        return probe
    absent = [each for each in _MEMBERS if not hasattr(probe, each)]
    raise SpecError(
        f"{subject}: must be a TrainedProbe, or have {', '.join(_MEMBERS)}. "
        f"Got {type(probe).__name__} without {', '.join(absent)}. "
        f"See marble_eval.probes.FittedProbe."
    )


def probe_record(probe: Probe) -> ProbeRecord:
    """Write down what a result needs of a probe."""
    return ProbeRecord(
        name=probe.name,
        options=probe_options(probe),
        setting=probe.setting,
        reads_sum=probe.reads_sum,
        description=probe.description,
        citation=probe.citation,
    )


def probe_options(probe: Probe) -> dict[str, Any]:
    """Return a probe's options as plain values, without its name."""
    if not dataclasses.is_dataclass(probe) or isinstance(probe, type):
        raise SpecError(f"probe {probe.name}: must be a frozen dataclass. Got {probe!r}.")
    fields = dataclasses.fields(probe)
    return {each.name: getattr(probe, each.name) for each in fields if each.name != "name"}
