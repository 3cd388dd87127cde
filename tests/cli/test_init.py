"""`marble-eval init task`: the folder runs as it is, and says how to go on."""

from __future__ import annotations

import csv
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

import marble_eval
from marble_eval.cli import main
from marble_eval.errors import MarbleError, SpecError
from marble_eval.kinds import KINDS, load_kind
from marble_eval.registry import load_task, read_card
from marble_eval.runs.task_data import task_tracks
from marble_eval.scaffold import task_name, write_task_folder

#: With an estimate for every frame, and the ends of their annotation files.
SUFFIXES = {
    kind: load_kind(kind).example.suffix for kind in KINDS if load_kind(kind).example.suffix
}

PIECES = {"train": 48, "valid": 18, "test": 18}
ETUDES = {"train": 12, "valid": 4, "test": 4}


def sizes_of(kind: str) -> dict[str, int]:
    return ETUDES if kind in SUFFIXES else PIECES


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A new folder of every kind."""
    root = tmp_path_factory.mktemp("new")
    for kind in KINDS:
        assert main(["init", "task", str(root / f"my-{kind}"), "--kind", kind]) == 0
    return {kind: root / f"my-{kind}" for kind in KINDS}


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "tracks.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


# --- what is written ---


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_task_of_every_kind_runs_and_scores_above_chance(
    folders: dict[str, Path], kind: str
) -> None:
    result = marble_eval.evaluate(
        load_kind(kind).example.encoder, f"{folders[kind]}/", protocol="quick", seeds=1
    )
    metric = load_kind(kind).metrics[0]
    assert next(iter(result.metrics)) == metric.name
    score = result.metrics[metric.name]
    chance = load_kind(kind).example.chance
    assert score.low > chance if metric.higher_is_better else score.high < chance
    assert result.counts.scored == score.n == sizes_of(kind)["test"]
    assert result.task.sizes == sizes_of(kind)
    assert (result.task.name, result.task.kind) == (f"my-{kind}", kind)
    assert result.protocol.conforms


@pytest.mark.parametrize("kind", KINDS)
def test_the_folder_is_small_and_always_the_same(
    folders: dict[str, Path], kind: str, tmp_path: Path
) -> None:
    files = {
        path.relative_to(folders[kind]): path.read_bytes()
        for path in folders[kind].rglob("*")
        if path.is_file()
    }
    assert {str(path) for path in files if len(path.parts) == 1} == {
        "README.md",
        "task.yaml",
        "tracks.csv",
    }
    in_audio = {path.name for path in files if len(path.parts) == 2}
    names = {each.removesuffix(".wav") for each in in_audio if each.endswith(".wav")}
    ends = (".wav", SUFFIXES[kind]) if kind in SUFFIXES else (".wav",)
    assert in_audio == {f"{name}{end}" for name in names for end in ends}
    assert len(names) == sum(sizes_of(kind).values())
    assert sum(map(len, files.values())) < (5.2e6 if kind in SUFFIXES else 1.5e6)
    written = write_task_folder(tmp_path / "again", load_kind(kind), f"my-{kind}")
    assert {path.relative_to(tmp_path / "again") for path in written} == set(files)
    for path in written:
        name = path.relative_to(tmp_path / "again")
        assert path.name == "README.md" or path.read_bytes() == files[name]


@pytest.mark.parametrize("kind", KINDS)
def test_players_stay_in_one_split_and_every_label_is_in_every_split(
    folders: dict[str, Path], kind: str
) -> None:
    _, tracks = task_tracks(load_task(f"{folders[kind]}/"), None, None)
    sides, labels = defaultdict(set), defaultdict(set)
    for each in tracks:
        sides[each.group].add(each.split)
        labels[each.split].add(each.label)
    assert all(len(splits) == 1 for splits in sides.values())
    assert len(sides) == (20 if kind in SUFFIXES else 28)
    if kind not in ("regression", *SUFFIXES):
        assert labels["train"] == labels["valid"] == labels["test"]


def test_the_notes_are_where_the_table_says(folders: dict[str, Path]) -> None:
    """The loudest partials lie on multiples of the note's frequency, 440 Hz for A above C."""
    for row in rows_of(folders["pitch"])[::7]:
        sound, rate = soundfile.read(folders["pitch"] / row["path"])
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 8 * len(sound)))
        loudest = np.argmax(spectrum) * rate / (8 * len(sound))
        note = 69 + 12 * np.log2(loudest / 440)
        assert (note - int(row["label"])) % 12 == pytest.approx(0, abs=0.3) or (
            note - int(row["label"])
        ) % 12 == pytest.approx(12, abs=0.3)


def test_audio_is_sound_at_a_sane_level(folders: dict[str, Path]) -> None:
    for kind, folder in folders.items():
        for path in (folder / "audio").glob("*.wav"):
            sound, rate = soundfile.read(path)
            assert (rate, sound.ndim) == (16000, 1)
            assert len(sound) == (8 * rate if kind in SUFFIXES else 6400)
            assert 0.1 < np.abs(sound).max() <= 0.5


# --- card and README ---


@pytest.mark.parametrize("kind", KINDS)
def test_the_card_has_few_fields_each_told(folders: dict[str, Path], kind: str) -> None:
    text = (folders[kind] / "task.yaml").read_text()
    fields = set(yaml.safe_load(text))
    has_own_labels = kind not in ("key", *SUFFIXES)
    assert fields == {"name", "kind", "data", "version"} | ({"labels"} if has_own_labels else set())
    assert all(each in text.split("kind:")[0] for each in KINDS)
    blocks = text.split("\n\n")
    for name in fields:
        (block,) = [each for each in blocks if re.search(f"^{name}:", each, re.MULTILINE)]
        assert block.startswith("#")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_commented_out_is_right_once_the_sign_is_taken_away(
    folders: dict[str, Path], kind: str, tmp_path: Path
) -> None:
    text = (folders[kind] / "task.yaml").read_text()
    head, tail = text.split("# -----", 1)
    field = re.compile(r"^# (\w+:.*|  .*|}.*)$")
    optional = [
        field.sub(r"\1", line) if field.match(line) else "" for line in tail.splitlines()[1:]
    ]
    card = tmp_path / "task.yaml"
    card.write_text(head + "\n".join(optional))
    spec = read_card(card)
    assert set(spec.protocols) == {"marble-v1", "marble-v2"}
    assert spec.licence == "CC-BY-4.0" and spec.citation.startswith("@misc{") and spec.summary
    task = load_task(f"{tmp_path}/")  # metrics and sizes are right too
    assert task.spec.metrics == tuple(task.kind.metrics_of(spec))
    assert task_tracks(task, folders[kind], None)[0].spec.sizes == sizes_of(kind)
    if kind in SUFFIXES:  # what is written out is what holds without it
        assert task.rules("marble-v1") == task.rules("marble-v2") == task.kind.rules
        assert "tail" not in tail and "context_seconds" in tail
    else:
        assert "tail" in tail and "frames:" not in tail


@pytest.mark.parametrize("kind", SUFFIXES)
def test_without_a_table_the_commented_layout_reads_the_same_annotations(
    folders: dict[str, Path], kind: str, tmp_path: Path
) -> None:
    folder = tmp_path / f"my-{kind}"
    shutil.copytree(folders[kind], folder)
    _, with_table = task_tracks(load_task(f"{folder}/"), None, None)
    text = (folder / "task.yaml").read_text()
    (folder / "task.yaml").write_text(re.sub("^# (  - .form: pairs)", r"\1", text, flags=re.M))
    assert task_tracks(load_task(f"{folder}/"), None, None)[1] == with_table  # it comes first
    (folder / "tracks.csv").unlink()
    task, tracks = task_tracks(load_task(f"{folder}/"), None, None)
    assert [each.form for each in task.spec.data] == ["table", "pairs"]
    found, wanted = ({each.path.name: each.label for each in some} for some in (tracks, with_table))
    assert found == wanted and len(found) == 20
    assert Counter(each.split for each in tracks) == ETUDES
    assert (folder / f"my-{kind}.split.csv").is_file()


@pytest.mark.parametrize("kind", KINDS)
def test_the_readme_shows_the_table_as_it_is(folders: dict[str, Path], kind: str) -> None:
    text = (folders[kind] / "README.md").read_text()
    header, row = re.findall(r"^ {7}(\S.*)$", text, re.MULTILINE)[:2]
    lines = (folders[kind] / "tracks.csv").read_text().splitlines()
    assert header == lines[0]
    assert len(next(csv.reader([row]))) == len(next(csv.reader([header])))
    for column in header.split(","):
        assert f"`{column}`" in text
    assert f"marble-eval run task=./my-{kind} encoder={load_kind(kind).example.encoder}\n" in text
    amount = "20 tracks of 8 s" if kind in SUFFIXES else "84 tracks of 0.4 s"
    assert amount in text and "{" not in text
    assert ("Without a table" in text) == ("half a minute" in text) == (kind in SUFFIXES)
    assert text.startswith(f"# my-{kind}\n")


# --- the command ---


def test_the_commands_that_it_ends_with_work(tmp_path: Path) -> None:
    """As a newcomer would: write it, then type what is printed."""
    environment = {"MARBLE_EVAL_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}

    def typed(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "marble_eval", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    told = typed("init", "task", "Meine Töne")
    assert told.startswith("Meine-Tone: a classification task in Meine Töne: task.yaml, tracks.csv")
    commands = [
        shlex.split(line, comments=True)
        for line in told.splitlines()
        if line.startswith("  marble-eval ")
    ]
    assert [each[-1] for each in commands] == ["--dry-run", "encoder=mel"]
    assert "0 clips from the cache, 84 to encode" in typed(*commands[0][1:])
    assert "accuracy" in typed(*commands[1][1:], "protocol=quick", "seeds=1")
    assert len(list((tmp_path / "results").rglob("Meine-Tone@1"))) == 1


def test_the_commands_name_an_encoder_that_learns_the_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", "task", "Mine", "--kind", "chord"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("Mine: a chord task in Mine: task.yaml, tracks.csv, README.md and 20 ")
    first, second = re.findall("^  marble-eval (.*?) *#", told, re.MULTILINE)
    assert first == "run task=./Mine encoder=chroma --dry-run"
    assert main(shlex.split(first)) == 0
    assert "0 clips from the cache, 20 to encode" in capsys.readouterr().out
    assert main([*shlex.split(second), "protocol=quick", "seeds=1"]) == 0
    assert "frame_accuracy" in capsys.readouterr().out


def test_the_folder_one_stands_in_may_be_filled_if_it_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert main(["init", "task", "."]) == 0
    assert "task=. encoder=mel" in capsys.readouterr().out
    assert read_card(tmp_path / "here" / "task.yaml").name == "here"
    assert main(["init", "task", "deep/er"]) == 0
    assert "task=deep/er encoder=mel" in capsys.readouterr().out


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name, what in (("mine", "a folder with files"), ("file", "a file")):
        assert main(["init", "task", str(tmp_path / name)]) == 2
        told = capsys.readouterr().err
        assert f"{tmp_path / name}: must be a new folder or an empty one" in told
        assert f"Got {what}." in told
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MarbleError, match=r"cannot be written: Not a directory\. Choose a folder"):
        write_task_folder(tmp_path / "file" / "mine", load_kind("key"), "mine")


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("my-dataset", "my-dataset"),
        ("my_dataset_2", "my_dataset_2"),
        ("data/My Café songs!", "My-Cafe-songs"),
        ("2024", "2024"),
        ("-odd-", "odd"),
        ("a.b.c", "a-b-c"),
        ("mine/", "mine"),
    ],
)
def test_a_folder_s_name_becomes_the_task_s(written: str, name: str) -> None:
    assert task_name(Path(written)) == name


@pytest.mark.parametrize("written", ["音楽", "...", "_", "/"])
def test_a_name_without_letters_or_digits_is_refused(written: str) -> None:
    with pytest.raises(SpecError, match="must have a name with letters from A to Z or digits"):
        task_name(Path(written))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no such action ''. Known: encoder, task."),
        (["encoder"], "the following arguments are required: name"),
        (["encoders"], "no such action 'encoders'. Did you mean 'encoder'?"),
        (["tasks"], "no such action 'tasks'. Did you mean 'task'?"),
        (["task"], "the following arguments are required: folder"),
        (["task", "x", "--kind", "taging"], "Did you mean 'tagging'?"),
        (["task", "x", "--knd", "key"], "unrecognized arguments: --knd key"),
        (["task", "a,b"], "must have no comma in its path, since task=a,b are two tasks."),
        (["task", "GTZAN"], "must not be called like a known task, since results are filed by"),
        (["task", "x/GTZANGenre"], "Got 'GTZANGenre', which marble-eval "),
    ],
)
def test_a_mistake_is_told_with_the_next_step(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["init", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
