"""Records of an older schema, as they read today.

What an older schema did not ask for is said to be unrecorded, never filled in as if it were
known, and a remark says so. Schema 4 said deviations, divergences and layers left out in
sentences: they are parsed here, once; words that are not known stay words. Schemas before the
oldest one known here lack what cannot be made up for, so they are refused.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, get_args

from marble_eval.kinds import KINDS, load_kind
from marble_eval.metrics.metric import BY_RECORDING, Metric, by_recording
from marble_eval.results.caveats import (
    Deviation,
    Divergence,
    LayerLeftOut,
    OtherDeviation,
    RuleChanged,
    TracksLeftOut,
    Value,
    deviation_sentence,
)
from marble_eval.spec import TaskSpec

_UNRECORDED = "not recorded"
_FROM_3 = "read from a record of schema version 3"
_CHANGED = re.compile(r"(?P<rule>(?:frames\.)?\w+) is (?P<got>.*), \S+ has (?P<expected>.*)")
_TRACKS = re.compile(
    r"(?P<count>[1-9]\d{0,8})(?: of (?P<of>[1-9]\d{0,8}))? "
    r"(?P<split>train|valid|test) tracks left out"
)
_LONGEST = 1000  # characters of a value; the longest of a preset has 50
_DIVERGED = re.compile(
    r"learning rate (?P<setting>\d[\d.e+-]*), seed (?P<seed>-?\d{1,18}): outputs no longer finite "
    r"at layer (?P<layers>.+); (?P<fate>it was the first epoch|the best epoch before it counts)"
)
_LEFT_OUT = re.compile(r"layer (.+) is left out: no probe of it kept finite outputs .*")
_NO_SUM = re.compile(r".+ has no learned sum of layers")


def _from_3(values: dict[str, Any]) -> dict[str, Any]:
    """Version 4 has what the weights were trained on, and whose code was run."""
    unrecorded = {"trained_on": _UNRECORDED, "overlap": _UNRECORDED, "citation": _UNRECORDED}
    # Neither steps of pre-training nor code of a repository could be run before version 4.
    encoder = {**values["encoder"], **unrecorded, "step": None, "remote_code": None}
    said = f"{_FROM_3}, without training data, overlap and citation"
    return {**values, "encoder": encoder, "remarks": [*values["remarks"], said]}


def _from_4(values: dict[str, Any]) -> dict[str, Any]:
    """Version 5 has records in the place of sentences."""
    protocol, layers = values["protocol"], values["choices"]["layers"]
    deviations = [_plain(_deviation(each, protocol["name"])) for each in protocol["deviations"]]
    divergences: list[Divergence] = []
    left_out: list[LayerLeftOut] = []
    remarks = []
    for each in values["remarks"]:
        diverged = _divergences(each)
        without = _left_out(each, layers, values["encoder"]["layers"])
        divergences += diverged
        left_out += without
        if not diverged and not without:
            remarks.append(each)
    return {
        **values,
        "task": {**values["task"], "folder": ""},
        "metrics": _with_facts(values),
        "protocol": {**protocol, "deviations": deviations},
        "probe": _probe(values["probe"], values["grid"]),
        "divergences": [asdict(each) for each in divergences],
        "left_out": [asdict(each) for each in left_out],
        "remarks": remarks,
        "written_under": 3 if any(str(each).startswith(_FROM_3) for each in remarks) else 4,
    }


def _probe(probe: dict[str, Any], grid: list[dict[str, Any]]) -> dict[str, Any]:
    """Add what version 4 left to be known by the name of one of its three probes."""
    name, hidden, dropout = probe["name"], probe["hidden"], probe["dropout"]
    facts = {"setting": "learning rate", "reads_sum": True, "citation": ""}
    options: dict[str, Any] = {"hidden": hidden, "dropout": dropout}
    words = f"an MLP with one hidden layer of {hidden} units and dropout {dropout:g}"
    description = words if hidden else "a linear map"
    if name == "logreg":
        facts = {"setting": "C", "reads_sum": False, "citation": "pedregosa2011scikit"}
        tried = [each["setting"] for each in grid if each["layer"] == grid[0]["layer"]]
        options, description = {"inverse_penalties": tried}, "logistic regression"
    return {"name": name, "options": options, **facts, "description": description}


def _with_facts(values: dict[str, Any]) -> dict[str, Any]:
    """Add unit, written form and citation to metrics, from the records of the task's kind."""
    name, labels = values["task"]["kind"], [str(each["name"]) for each in values["labels"]]
    known: Mapping[str, Metric] = {}
    if name in KINDS:
        spec = TaskSpec("older", name, labels=tuple(dict.fromkeys(labels)))
        known = load_kind(name).metrics_of(spec)
    metrics = values["metrics"].items()
    return {name: {"groups": None, **each, **_facts(name, known)} for name, each in metrics}


def _facts(name: str, known: Mapping[str, Metric]) -> dict[str, str]:
    metric = known.get(name.removesuffix(BY_RECORDING)) or Metric(name, "1")
    if name.endswith(BY_RECORDING) and metric.name != name:
        metric = by_recording(metric)
    return {"unit": metric.unit, "written": metric.written, "citation": metric.citation}


def _plain(deviation: Deviation) -> dict[str, Any]:
    """Give a record as JSON has it, which knows lists but no tuples."""
    values = asdict(deviation)
    return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}


def _deviation(sentence: str, protocol: str) -> Deviation:
    """Parse a deviation; a record only if it gives the very sentence again."""
    found: Deviation | None = None
    if match := _CHANGED.fullmatch(sentence):
        found = RuleChanged(match["rule"], _value(match["got"]), _value(match["expected"]))
    elif match := _TRACKS.fullmatch(sentence):
        of = None if match["of"] is None else int(match["of"])
        found = TracksLeftOut(match["split"], int(match["count"]), of)
    if found is None or deviation_sentence(found, protocol) != sentence:
        return OtherDeviation(sentence)
    return found


def _value(text: str) -> Value:
    """Read a value as Python writes it; whatever is none stays a word. No code is run."""
    try:
        value = ast.literal_eval(text) if len(text) <= _LONGEST else text
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text
    if isinstance(value, tuple):
        return value if all(type(each) in (int, float) for each in value) else text
    return value if value is None or type(value) in get_args(Value) else text


def _divergences(remark: str) -> list[Divergence]:
    found = _DIVERGED.fullmatch(remark)
    if found is None:
        return []
    try:
        setting = float(found["setting"])
    except ValueError:
        return []
    scored = found["fate"] != "it was the first epoch"
    seed, layers = int(found["seed"]), found["layers"].split(", ")
    return [Divergence(layer, setting, seed, scored) for layer in layers if layer]


def _left_out(remark: str, asked: list[str], of_encoder: list[str]) -> list[LayerLeftOut]:
    if found := _LEFT_OUT.fullmatch(remark):
        return [LayerLeftOut(found[1], "diverged")]
    if _NO_SUM.fullmatch(remark):
        return [LayerLeftOut(each, "no learned sum") for each in asked if each not in of_encoder]
    return []


_STEPS: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {3: _from_3, 4: _from_4}

#: The oldest schema version that is read.
OLDEST = min(_STEPS)


def brought_up(values: dict[str, Any], version: int, newest: int) -> dict[str, Any]:
    """Give a copy of a record of an older schema the shape of the newest.

    A part that is missing raises `KeyError`, one of the wrong type `TypeError`.
    """
    for step in range(version, newest):
        values = {**_STEPS[step](values), "schema_version": step + 1}
    return values
