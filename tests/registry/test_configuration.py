"""The configs: each says every field of its dataclass, and all edges have the same defaults."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf  # noqa: TID251 - what Hydra reads with

from marble_eval.errors import SpecError
from marble_eval.registry import configuration, load_probe, probe_options
from marble_eval.registry.configuration import (
    config_names,
    load_engine,
    load_protocol,
    read_config,
    read_yaml,
    run_defaults,
)
from marble_eval.spec import EngineSpec, ProtocolSpec, Settings

CONFIGS = Path(__file__).parents[2] / "configs"
SPECS = {"protocol": ProtocolSpec, "engine": EngineSpec}
LOADERS: dict[str, Any] = {"probe": load_probe, "protocol": load_protocol, "engine": load_engine}
FILES = sorted(path.relative_to(CONFIGS) for path in CONFIGS.glob("*/*.yaml"))


@pytest.mark.parametrize("group", ["encoder", "engine", "probe", "protocol"])
def test_every_file_of_a_group_is_a_name(group: str) -> None:
    assert config_names(group) == tuple(sorted(p.stem for p in (CONFIGS / group).glob("*.yaml")))
    assert config_names(group)


def test_no_group_is_left_out() -> None:
    assert {path.parent.name for path in FILES} == set(configuration._GROUPS)


@pytest.mark.parametrize("file", FILES, ids=str)
def test_a_config_reads_as_hydra_reads_it(file: Path) -> None:
    """OmegaConf reads YAML by rules of its own (5e-5, on, 1:30): the files must not touch them."""
    config = OmegaConf.to_container(OmegaConf.load(CONFIGS / file))
    assert read_config(file.parent.name, file.stem) == config


@pytest.mark.parametrize("file", [each for each in FILES if each.parent.name in SPECS], ids=str)
def test_a_config_lists_every_field_of_its_dataclass(file: Path) -> None:
    values = yaml.safe_load((CONFIGS / file).read_text(encoding="utf-8"))
    group = file.parent.name
    assert set(values) == {field.name for field in dataclasses.fields(SPECS[group])}
    built = LOADERS[group](file.stem)
    for name, value in values.items():
        assert getattr(built, name) == (tuple(value) if isinstance(value, list) else value)


@pytest.mark.parametrize("name", config_names("probe"))
def test_a_config_of_a_probe_lists_its_options(name: str) -> None:
    built, values = load_probe(name), read_config("probe", name)
    assert values.pop("target").startswith("marble_eval.")
    for option, value in values.items():
        assert getattr(built, option) == (tuple(value) if isinstance(value, list) else value)
    assert set(probe_options(built)) <= {*values, "hidden", "dropout"}


@pytest.mark.parametrize("group", ["probe", "protocol"])
def test_a_preset_is_called_like_its_file(group: str) -> None:
    for name in config_names(group):
        assert read_config(group, name)["name"] == name


@pytest.mark.parametrize("spec", [*SPECS.values(), Settings])
def test_no_default_hides_in_a_dataclass(spec: Any) -> None:
    for field in dataclasses.fields(spec):
        assert field.default is dataclasses.MISSING
        assert field.default_factory is dataclasses.MISSING


def test_every_key_of_a_run_is_a_setting_or_the_command_line_s() -> None:
    values = yaml.safe_load((CONFIGS / "run.yaml").read_text(encoding="utf-8"))
    groups = {name for each in values["defaults"] if isinstance(each, dict) for name in each}
    groups = {each for each in groups if not each.startswith("override ")}
    settings = {field.name for field in dataclasses.fields(Settings)}
    command_line = {"defaults", "hydra", "dry_run", "suite"}
    assert set(values) - command_line == settings - groups - {"root", "splits"}
    assert groups - settings == {"task", "encoder"}  # root and splits stand below task
    assert set(run_defaults()) == set(values) - {"defaults", "hydra", "suite"}


def test_evaluate_has_the_defaults_of_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from marble_eval import evaluate

    values = yaml.safe_load((CONFIGS / "run.yaml").read_text(encoding="utf-8"))
    groups = {
        k: v for each in values["defaults"] if isinstance(each, dict) for k, v in each.items()
    }
    signature = inspect.signature(evaluate).parameters
    for group in LOADERS:
        assert signature[group].default == groups[group]

    seen: list[Settings] = []

    def record(task: Any, encoder: Any, settings: Settings, progress: Any) -> Any:
        seen.append(settings)
        return SimpleNamespace(result=None)

    monkeypatch.setattr("marble_eval.runs.run.run", record)
    evaluate("mel", "GTZAN")
    (settings,) = seen
    for name in set(run_defaults()) - {"dry_run", "results"}:
        found = getattr(settings, name)
        if dataclasses.is_dataclass(found) and not isinstance(found, type):
            found = dataclasses.asdict(found)
        assert found == values[name], name
    for group, load in LOADERS.items():
        assert getattr(settings, group) == load(groups[group])
    # The library writes nothing unless it is told to; the command line always writes.
    assert (settings.root, settings.splits, settings.results) == (None, None, None)


@pytest.mark.parametrize(
    ("group", "name", "message"),
    [
        ("probe", "mpl", "no probe is called 'mpl'. Did you mean 'mlp'? Known: linear, logreg, "),
        ("protocol", "marble", "no protocol is called 'marble'. Did you mean 'marble-v"),
        ("encoder", "../run", "no encoder is called '../run'."),
        ("probes", "mlp", "no group of configs is called 'probes'. Did you mean 'probe'?"),
        ("..", "run", "no group of configs is called '..'."),
    ],
)
def test_a_config_that_is_not_there_gets_near_misses(group: str, name: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_config(group, name)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("load", LOADERS.values())
def test_an_unknown_preset_is_refused(load: Any) -> None:
    with pytest.raises(SpecError, match="is called 'nope'"):
        load("nope")


def test_each_reader_gets_values_of_its_own() -> None:
    read_config("probe", "mlp")["hidden"] = 1
    assert read_config("probe", "mlp")["hidden"] == 512


def test_a_name_given_twice_is_refused_with_its_line() -> None:
    text = "name: a\nlabels: [x, y]\nprotocols:\n  marble-v1: {}\n  marble-v1: {}\n"
    with pytest.raises(SpecError) as caught:
        read_yaml(text, "card.yaml")
    assert "card.yaml: must be a readable YAML file. 'marble-v1' is given twice" in str(
        caught.value
    )
    assert "line 5" in str(caught.value)


def test_yaml_s_merge_may_replace_a_name() -> None:
    """One protocol's rules written as another's with changes is no name given twice."""
    text = "a: &rules {tail: keep, hop: 1}\nb: {<<: *rules, tail: pad}\nc: {<<: *rules}\n"
    assert read_yaml(text, "card.yaml") == yaml.safe_load(text)
    assert read_yaml(text, "card.yaml")["b"] == {"tail": "pad", "hop": 1}


@pytest.mark.parametrize(
    "text", ["a: [1", "a: !!python/object/apply:os.getcwd []", "a: b: c", "\x00", "a: *nowhere"]
)
def test_text_that_is_not_plain_yaml_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match=r"^card.yaml: must be a readable YAML file\. "):
        read_yaml(text, "card.yaml")
