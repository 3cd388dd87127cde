"""The package as users get it: built, installed, run and removed, away from the checkout.

A copy of the checkout is built, so that nothing of a build is left in it. The new
environments borrow this one's other packages by a path file, and no network is used.
"""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path, PurePosixPath

import pytest
import yaml

import marble_eval
from marble_eval.leaderboard import published_scores

ROOT = Path(__file__).parents[1]

#: Where each tree of the checkout is installed.
TREES = {
    "marble_eval": "marble_eval",
    "tasks": "marble_eval/tasks",
    "configs": "marble_eval/configs",
    "results/published": "marble_eval/published",
}
METADATA = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "top_level.txt"}


def call(*command: str | Path, cwd: Path) -> str:
    """Run a command away from the checkout and return what it says."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(each) for each in command],
        cwd=cwd,
        env={**kept, "MARBLE_EVAL_HOME": str(cwd / "home"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def copy_checkout(target: Path) -> Path:
    """Copy what is built, without what tools have left behind."""
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for tree in TREES:
        shutil.copytree(ROOT / tree, target / tree, ignore=unwanted)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, target / name)
    return target


def shipped(source: Path) -> dict[str, Path]:
    """Return every file that is to be installed: not the tests of task folders, nor fixtures."""
    return {
        str(PurePosixPath(place, path.relative_to(source / tree))): path
        for tree, place in TREES.items()
        for path in (source / tree).rglob("*")
        if path.is_file() and not (tree == "tasks" and is_of_tests(path.relative_to(source / tree)))
    }


def is_of_tests(path: Path) -> bool:
    return path.name.startswith("test_") or "fixture" in path.parts


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {each for each in archive.namelist() if not each.endswith("/")}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the archive of sources, a wheel from it, and a wheel directly."""
    root = tmp_path_factory.mktemp("build")
    source = copy_checkout(root / "source")
    build = (sys.executable, "-m", "build", "--no-isolation")
    call(*build, "--outdir", root / "by_sdist", source, cwd=root)
    call(*build, "--wheel", "--outdir", root / "direct", source, cwd=root)
    return root


def one(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def environment(folder: Path) -> Path:
    """Make an environment with nothing in it."""
    venv.create(folder, system_site_packages=False, with_pip=False, symlinks=True)
    return folder


def site_packages(folder: Path) -> Path:
    return Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))


def borrow(folder: Path) -> Path:
    """Let an environment see the packages of this one, but not its editable installs."""
    path = site_packages(folder) / "borrowed.pth"
    path.write_text("\n".join(site.getsitepackages()) + "\n")
    return path


def pip(folder: Path, *arguments: str | Path, cwd: Path) -> str:
    command = (sys.executable, "-m", "pip", "--python", folder / "bin" / "python")
    return call(*command, *arguments, cwd=cwd)


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


@pytest.fixture(scope="module")
def installed(built: Path) -> Path:
    """Install the wheel into an environment of its own."""
    folder = environment(built / "installed")
    wheel = one(built / "direct", "*.whl")
    pip(folder, "install", "--no-deps", "--no-index", wheel, cwd=built)
    borrow(folder)
    return folder


def test_the_wheel_holds_every_file_and_no_test(built: Path) -> None:
    wheel = one(built / "direct", "*.whl")
    info = f"marble_eval-{marble_eval.__version__}.dist-info"
    names = names_in(wheel)
    assert names - {f"{info}/{each}" for each in METADATA} == set(shipped(built / "source"))
    assert {f"{info}/{each}" for each in METADATA} <= names
    for name in ("py.typed", "tasks/gtzan/task.yaml", "tasks/gtzan/README.md", "configs/run.yaml"):
        assert f"marble_eval/{name}" in names
    assert not [each for each in names if PurePosixPath(each).name.startswith("test_")]
    assert not [each for each in names if each.endswith(".pyc")]


def test_the_files_arrive_as_they_are(built: Path) -> None:
    with zipfile.ZipFile(one(built / "direct", "*.whl")) as archive:
        for name, path in shipped(built / "source").items():
            assert archive.read(name) == path.read_bytes(), name


def test_the_wheel_from_the_sources_archive_is_the_same(built: Path) -> None:
    direct, by_sdist = one(built / "direct", "*.whl"), one(built / "by_sdist", "*.whl")
    assert direct.name == by_sdist.name
    assert names_in(direct) == names_in(by_sdist)
    with zipfile.ZipFile(direct) as first, zipfile.ZipFile(by_sdist) as second:
        for name in names_in(direct):
            assert first.read(name) == second.read(name), name


def test_the_sources_archive_can_be_built_by_others(built: Path) -> None:
    with tarfile.open(one(built / "by_sdist", "*.tar.gz")) as archive:
        names = {each.partition("/")[2] for each in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "tasks/gtzan/task.yaml"} <= names
    assert {"configs/run.yaml", "results/published/marble_2023.csv"} <= names


def test_the_metadata_says_what_pyproject_says(built: Path) -> None:
    with zipfile.ZipFile(one(built / "direct", "*.whl")) as archive:
        (name,) = [each for each in archive.namelist() if each.endswith("/METADATA")]
        lines = archive.read(name).decode().splitlines()
        (name,) = [each for each in archive.namelist() if each.endswith("/top_level.txt")]
        assert archive.read(name).split() == [b"marble_eval"]
    assert "Name: marble-eval" in lines
    assert f"Version: {marble_eval.__version__}" in lines
    assert "License-Expression: Apache-2.0" in lines
    assert "Requires-Python: >=3.11" in lines
    assert "Provides-Extra: dev" in lines


def test_the_installed_command_works_away_from_the_checkout(
    installed: Path, tmp_path: Path
) -> None:
    command, python = installed / "bin" / "marble-eval", installed / "bin" / "python"
    assert call(command, "--version", cwd=tmp_path) == f"marble-eval {marble_eval.__version__}\n"

    where = "import marble_eval.configs as c, marble_eval.tasks as t; print(c.__file__, t.__file__)"
    for path in call(python, "-c", where, cwd=tmp_path).split():
        assert Path(path).is_relative_to(installed)

    listed = call(command, "tasks", cwd=tmp_path)
    assert all(name in listed for name in marble_eval.task_names())
    assert str(site_packages(installed)) in call(command, "tasks", "GTZAN", cwd=tmp_path)

    config = yaml.safe_load(call(command, "run", "--cfg", "job", "task=GTZAN", cwd=tmp_path))
    assert config["task"]["name"] == "GTZAN"
    assert config["encoder"]["hub"] == "m-a-p/MERT-v1-95M"
    assert config["protocol"]["name"] == "marble-v1"

    data = (
        "from marble_eval.leaderboard import published_scores\n"
        "from marble_eval.results.schema import load_schema\n"
        "print(len(published_scores()), load_schema()['title'])\n"
    )
    count, title = call(python, "-c", data, cwd=tmp_path).split(maxsplit=1)
    assert int(count) == len(published_scores()) > 0
    assert title.startswith("marble-eval result")
    assert files_below(tmp_path) == set()


def test_uninstalling_leaves_nothing(built: Path) -> None:
    folder = environment(built / "emptied")
    before = files_below(folder)
    wheel = one(built / "by_sdist", "*.whl")
    pip(folder, "install", "--no-deps", "--no-index", wheel, cwd=built)
    added = {
        each.partition("site-packages/")[2].split("/")[0] for each in files_below(folder) - before
    }
    assert added == {
        "",  # the command, in bin
        "marble_eval",
        f"marble_eval-{marble_eval.__version__}.dist-info",
    }
    pip(folder, "uninstall", "--yes", "marble-eval", cwd=built)
    assert files_below(folder) == before


def test_an_editable_install_sees_a_new_task_at_once(tmp_path: Path) -> None:
    source = copy_checkout(tmp_path / "source")
    folder = environment(tmp_path / "environment")
    borrow(folder)  # for setuptools
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--ignore-installed")
    pip(folder, "install", *options, "--editable", source, cwd=tmp_path)
    command = folder / "bin" / "marble-eval"
    before = call(command, "tasks", cwd=tmp_path)
    card = (source / "tasks" / "gtzan" / "task.yaml").read_text()
    card = card.replace("name: GTZAN\n", "name: Brandnew\n").replace("[GTZANGenre]", "[]")
    (source / "tasks" / "brandnew").mkdir()
    (source / "tasks" / "brandnew" / "task.yaml").write_text(card)
    after = call(command, "tasks", cwd=tmp_path)
    assert "Brandnew" not in before and "Brandnew" in after
    assert str(source) in call(command, "tasks", "Brandnew", cwd=tmp_path)
