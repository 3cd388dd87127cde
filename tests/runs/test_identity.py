"""What a run is called, what its departures are, and what makes it another run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from marble_eval.encoders import Encoder
from marble_eval.errors import SpecError
from marble_eval.features.audio_check import Survey, Unusable
from marble_eval.files.fingerprint import digest_of
from marble_eval.registry import Task, load_probe, load_task
from marble_eval.registry.configuration import load_engine, load_protocol, run_defaults
from marble_eval.results.caveats import Deviation, RuleChanged, TracksLeftOut, deviation_sentences
from marble_eval.runs.identity import data_digests, deviations_of, track_of, unit_of, variant_of
from marble_eval.spec import Settings, Track, from_mapping

V1 = load_protocol("marble-v1")


@pytest.fixture(scope="module")
def gtzan() -> Task:
    return load_task("GTZAN")


def features(**changes: Any) -> dict[str, Any]:
    return {**run_defaults()["features"], **changes}


def settings(**changes: Any) -> Settings:
    defaults = run_defaults()
    del defaults["dry_run"]
    values = {
        "root": None,
        "splits": None,
        "results": None,
        "protocol": V1,
        "probe": load_probe("mlp"),
        "engine": load_engine("local"),
    }
    return from_mapping(Settings, defaults | values | changes, "test")


def encoder(**facts: Any) -> Encoder:
    found: Any = SimpleNamespace(
        name="mel", sample_rate=8000, frame_rate=50.0, layers=("0", "1", "2"), width=4, **facts
    )
    encoder: Encoder = found
    return encoder


def variant(
    *, facts: dict[str, Any] | None = None, told: tuple[Deviation, ...] = (), **changes: Any
) -> str:
    chosen = settings(**changes)
    layers = ["0", "1", "2", "sum"] if chosen.layers == "all" else [str(x) for x in chosen.layers]
    return variant_of(chosen, encoder(**(facts or {})), layers, told)


def unusable(name: str, split: str, reason: str = "missing") -> Unusable:
    return Unusable(Track(name, Path("x.wav"), split, "jazz", name), reason)


# --- departures from the protocol ---


@pytest.mark.parametrize("name", ["marble-v1", "marble-v2", "quick"])
def test_a_preset_as_it_is_conforms(gtzan: Task, name: str) -> None:
    assert deviations_of(load_protocol(name), [], gtzan) == ()


def said_of(*arguments: Any) -> tuple[str, ...]:
    return deviation_sentences(deviations_of(*arguments), "marble-v1")


def test_each_rule_that_differs_is_a_record_and_a_sentence(gtzan: Task) -> None:
    changed = dataclasses.replace(V1, channels="first", batch_tracks=16, learning_rates=(0.001,))
    assert deviations_of(changed, [], gtzan)[2] == RuleChanged("batch_tracks", 16, 64)
    assert said_of(changed, [], gtzan) == (
        "channels is first, marble-v1 has mean",
        "learning_rates is (0.001,), marble-v1 has (5e-05, 0.0001, 0.0005, 0.001, 0.005, 0.01)",
        "batch_tracks is 16, marble-v1 has 64",
    )


@pytest.mark.parametrize(
    "name", [each.name for each in dataclasses.fields(V1) if each.name != "name"]
)
def test_no_rule_can_be_changed_unseen(gtzan: Task, name: str) -> None:
    values = {
        "version": 9,
        "rules": "marble-v2",
        "channels": "first",
        "resampler": "soxr-hq",
        "normalise": "clip",
        "learning_rates": (0.1,),
        "batch_tracks": 8,
        "sum_from_layer": 0,
        "sum_start": "zeros",
        "head": "linear",
        "max_epochs": 5,
    }
    changes: dict[str, Any] = {name: values[name]}
    other = dataclasses.replace(V1, **changes)
    (told,) = deviations_of(other, [], gtzan)
    assert told == RuleChanged(name, getattr(other, name), getattr(V1, name))


def test_tracks_left_out_are_counted_by_split(gtzan: Task) -> None:
    lost = [unusable("a", "train"), unusable("b", "test"), unusable("c", "test", "silent")]
    assert said_of(V1, lost, gtzan) == (
        "1 of 443 train tracks left out",
        "2 of 290 test tracks left out",
    )


def test_a_track_the_card_excuses_is_no_departure(gtzan: Task) -> None:
    excused = unusable("jazz/jazz.00054", "train", "truncated")
    assert deviations_of(V1, [excused], gtzan) == ()
    assert deviations_of(V1, [excused, unusable("a", "train")], gtzan) == (
        TracksLeftOut("train", 1, 443),
    )


def test_a_protocol_of_an_unknown_name_has_nothing_to_be_held_against(gtzan: Task) -> None:
    with pytest.raises(SpecError, match="no protocol is called 'marble-v3'"):
        deviations_of(dataclasses.replace(V1, name="marble-v3"), [], gtzan)


# --- MARBLE's tracks ---


@pytest.mark.parametrize(
    ("probe", "track"),
    [
        (load_probe("mlp"), "constrained"),
        (load_probe("linear"), "semi-constrained"),
        (load_probe("logreg"), "semi-constrained"),
        (load_probe("mlp", hidden=256), "semi-constrained"),
        (load_probe("mlp", dropout=0.5), "semi-constrained"),
    ],
)
def test_only_the_protocol_s_own_head_is_constrained(probe: Any, track: str) -> None:
    assert track_of(probe, V1) == track


# --- names of results ---


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "marble-v1"),
        ({"protocol": load_protocol("quick")}, "quick"),
        ({"probe": load_probe("linear")}, "marble-v1,probe=linear"),
        ({"probe": load_probe("logreg")}, "marble-v1,probe=logreg"),
        ({"layers": [1, 2]}, "marble-v1,layers=1-2"),
        ({"seeds": 1}, "marble-v1,seeds=1234"),
        ({"seed": 7, "seeds": 2}, "marble-v1,seeds=7-8"),
        ({"features": features(dtype="float32")}, "marble-v1,features=float32"),
        ({"facts": {"precision": "float32"}}, "marble-v1"),
        ({"facts": {"precision": "bfloat16"}}, "marble-v1,precision=bfloat16"),
        (
            {
                "probe": load_probe("linear"),
                "layers": [1],
                "seeds": 1,
                "features": features(dtype="float32"),
            },
            "marble-v1,probe=linear,layers=1,seeds=1234,features=float32",
        ),
        ({"features": features(frame_rate=25.0)}, "marble-v1,frames=25"),
        ({"features": features(frame_rate=28.7109375)}, "marble-v1,frames=28.7109"),
        # What never moves a score is no part of the name.
        ({"features": features(max_bytes=1e9, in_turn=True)}, "marble-v1"),
        ({"engine": dataclasses.replace(load_engine("local"), workers=3)}, "marble-v1"),
        ({"force": True, "missing": "report", "root": Path("/data")}, "marble-v1"),
    ],
)
def test_a_result_is_called_by_the_choices_that_differ(changes: dict[str, Any], name: str) -> None:
    assert variant(**changes) == name


def test_a_changed_probe_is_told_from_the_shipped_one() -> None:
    names = {variant(probe=load_probe("mlp", hidden=hidden)) for hidden in (256, 64)}
    assert len(names) == 2
    for name in names:
        stem, _, digest = name.rpartition("-")
        assert stem == "marble-v1,probe=mlp"
        assert len(digest) == 6


def test_departures_are_told_apart_by_their_digest() -> None:
    told = variant(told=(RuleChanged("batch_tracks", 16, 64),))
    digest = digest_of(["batch_tracks is 16, marble-v1 has 64"])[:6]
    assert told == f"marble-v1,deviates={digest}"
    assert told != variant(told=(RuleChanged("batch_tracks", 8, 64),))


# --- what makes it another run ---

TRACKS = [
    Track("a", Path("/data/a.wav"), "train", "jazz", "Ann"),
    Track("b", Path("/data/b.wav"), "valid", "rock", "Bob"),
    Track("c", Path("/data/c.wav"), "test", "rock", "Cleo"),
]
DIGESTS = {"a": "0a", "b": "0b", "c": "0c"}


def digests(tracks: list[Track], audio: dict[str, str] | None = None) -> tuple[str, str]:
    found = audio or DIGESTS
    usable = [each for each in tracks if each.id in found]
    return data_digests(tracks, Survey(usable, found, [], 0, 0, 0, 0))


def replaced(**changes: Any) -> list[Track]:
    return [dataclasses.replace(TRACKS[0], **changes), *TRACKS[1:]]


def test_the_same_data_has_the_same_digests_anywhere_and_in_any_order() -> None:
    assert digests(TRACKS[::-1]) == digests(TRACKS)
    assert digests(replaced(path=Path("/elsewhere/x.flac"))) == digests(TRACKS)


@pytest.mark.parametrize(
    ("tracks", "audio", "same_split"),
    [
        (replaced(label="rock"), DIGESTS, True),
        (TRACKS, {**DIGESTS, "a": "ff"}, True),
        (TRACKS, {"b": "0b", "c": "0c"}, True),
        (replaced(split="test"), DIGESTS, False),
        (replaced(id="d"), {**DIGESTS, "d": "0a"}, False),
        (TRACKS[1:], DIGESTS, False),
    ],
)
def test_other_labels_audio_or_splits_are_other_data(
    tracks: list[Track], audio: dict[str, str], same_split: bool
) -> None:
    data, split = digests(tracks, audio)
    assert data != digests(TRACKS)[0]
    assert (split == digests(TRACKS)[1]) is same_split


def test_another_grouping_is_another_split_of_the_same_data() -> None:
    data, split = digests(replaced(group="Zoe"))
    assert data == digests(TRACKS)[0] and split != digests(TRACKS)[1]


def test_the_unit_changes_with_all_that_can_move_a_score(gtzan: Task) -> None:
    rules = gtzan.spec.protocols["marble-v1"]
    base: dict[str, Any] = {
        "task": gtzan,
        "data_digest": "data",
        "features": "features",
        "protocol": V1,
        "rules": rules,
        "probe": load_probe("mlp"),
        "choices": {"layers": ["0", "1"], "seeds": (1234, 1235)},
    }
    newer = dataclasses.replace(gtzan, spec=dataclasses.replace(gtzan.spec, version=2))
    changes: list[dict[str, Any]] = [
        {},
        {"task": newer},
        {"data_digest": "other"},
        {"features": "other"},
        {"protocol": dataclasses.replace(V1, batch_tracks=16)},
        {"rules": dataclasses.replace(rules, max_epochs=7)},
        {"probe": load_probe("linear")},
        {"choices": {"layers": ["0"], "seeds": (1234, 1235)}},
        {"choices": {"layers": ["0", "1"], "seeds": (1234,)}},
    ]
    units = [unit_of(**(base | each)) for each in changes]
    assert len(set(units)) == len(units)
    assert all(len(each) == 32 and int(each, 16) >= 0 for each in units)
    assert unit_of(**base) == units[0]


def test_the_unit_does_not_know_where_the_task_lies(gtzan: Task) -> None:
    moved = dataclasses.replace(gtzan, folder=Path("/elsewhere"), provider="other 1.0")
    rules = gtzan.spec.protocols["marble-v1"]
    assert unit_of(moved, "d", "f", V1, rules, load_probe("mlp"), {}) == unit_of(
        gtzan, "d", "f", V1, rules, load_probe("mlp"), {}
    )


def test_editing_the_code_of_a_task_folder_is_another_run(tmp_path: Path) -> None:
    task = dataclasses.replace(load_task("GTZAN"), folder=tmp_path)
    protocol = load_protocol("marble-v1")
    rules, probe = task.spec.protocols["marble-v1"], load_probe("mlp")

    def unit() -> str:
        return unit_of(task, "d", "f", protocol, rules, probe, {})

    without = unit()
    (tmp_path / "task.py").write_text("def decode(outputs, spec): return outputs.argmax(-1)\n")
    first = unit()
    (tmp_path / "task.py").write_text("def decode(outputs, spec): return outputs.argmin(-1)\n")
    assert len({without, first, unit()}) == 3
