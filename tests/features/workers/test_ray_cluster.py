"""A real Ray cluster of two nodes on this machine, with workers and drivers really killed."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from marble_eval.encoders.mert import random_mert
from marble_eval.errors import MarbleError, MissingError, SpecError
from marble_eval.features.clip_rules import ClipCuts, FrameCuts
from marble_eval.features.extraction import Extraction, Job, extract
from marble_eval.features.stores import FrameStore, PooledStore
from marble_eval.features.workers.ray_cluster import RayCluster
from marble_eval.files.fingerprint import file_digest
from marble_eval.progress import Silence
from marble_eval.registry import load_encoder
from marble_eval.spec import EngineSpec, Windowing

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="ray cannot be imported")

RATE = 24000
WINDOWING = Windowing("mean", "torchaudio-sinc", "track", None, 0.5, None, "keep", 0.1)
CUTS = ClipCuts(WINDOWING, normalised=True, sample_rate=RATE, minimum_samples=400)
TRACKS = 40


def _engine(address: str | None, **changes: Any) -> EngineSpec:
    values: dict[str, Any] = {
        "device": "cpu", "workers": 0, "batch_clips": 1, "readers": 1, "group_members": 0,
        "processes": 0, "address": address, "gpus": None, "cpus": None,
    }  # fmt: skip
    return EngineSpec(**(values | changes))


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> list[Job]:
    """Forty tracks of one to eight clips of half a second; the last of a track is shorter."""
    folder = tmp_path_factory.mktemp("tracks")
    rng = np.random.default_rng(0)
    jobs = []
    for number in range(TRACKS):
        path = folder / f"{number:02d}.wav"
        seconds = 0.3 + 0.5 * (number % 8)
        soundfile.write(path, rng.uniform(-0.5, 0.5, round(seconds * RATE)), RATE)
        jobs.append(Job(file_digest(path), path))
    return jobs


CLIPS = sum(1 + number % 8 for number in range(TRACKS))


def _descendants(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [each for child in map(int, children) for each in (child, *_descendants(child))]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


class Cluster:
    """Two nodes of one CPU each; only what was started here is ever ended."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        self._folder = folder
        port = self.address.rpartition(":")[2]
        self.nodes = [
            self._node(
                "head",
                "--head",
                "--include-dashboard=false",
                f"--port={port}",
                f"--temp-dir={folder}",
            )
        ]
        self._await(self._answers)
        self.nodes.append(self._node("second", f"--address={self.address}"))

    def _node(self, name: str, *options: str) -> "subprocess.Popen[bytes]":
        command = [
            sys.executable, "-m", "ray.scripts.scripts", "start", *options, "--block",
            "--num-cpus=1", "--num-gpus=0",
            "--node-ip-address=127.0.0.1", "--object-store-memory=100000000",
        ]  # fmt: skip
        with (self._folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _answers(self) -> bool:
        host, _, port = self.address.partition(":")
        try:
            socket.create_connection((host, int(port)), 1).close()
        except OSError:
            return False
        return True

    def _await(self, happens: Any) -> None:
        deadline = time.monotonic() + 60
        while not happens():
            if time.monotonic() > deadline or any(each.poll() is not None for each in self.nodes):
                told = [each.read_text() for each in self._folder.glob("*.log")]
                raise AssertionError("\n".join(told))
            time.sleep(0.05)

    def workers(self) -> list[list[int]]:
        """Return the processes of our actors, by node."""
        return [
            [each for each in _descendants(node.pid) if _name(each).startswith("ray::RemoteWorker")]
            for node in self.nodes
        ]

    def end(self) -> None:
        every = [each for node in self.nodes for each in (node.pid, *_descendants(node.pid))]
        for each in every:
            try:
                os.kill(each, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for node in self.nodes:
            node.wait()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    # A cluster runs what it is sent: a token of its own keeps others on the network out.
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(dir="/tmp", prefix="me-", ignore_cleanup_errors=True) as name,
    ):
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        _read_token_anew()
        started = Cluster(Path(name))  # a short path: the names of sockets are limited
        try:
            _await_nodes(started)
            yield started
        finally:
            started.end()


def _read_token_anew() -> None:
    """Have Ray notice the variables; it looks at them once a process."""
    raylet = import_module("ray._raylet")
    if hasattr(raylet, "AuthenticationTokenLoader"):
        raylet.Config.initialize("")
        raylet.AuthenticationTokenLoader.instance().reset_cache()


def _await_nodes(started: Cluster) -> None:
    ray = import_module("ray")
    ray.init(address=started.address, log_to_driver=False, logging_level="ERROR")
    try:
        started._await(lambda: ray.cluster_resources().get("CPU", 0) == 2)
    finally:
        ray.shutdown()


def _extract(
    jobs: list[Job],
    folder: Path,
    engine: EngineSpec,
    progress: Silence | None = None,
    encoder: Any = None,
) -> Extraction:
    return extract(
        jobs,
        encoder or random_mert(size="small", seed=0, precision="float32", device="cpu"),
        PooledStore(folder, layers=5, width=192, dtype="float32"),
        CUTS,
        expected_clips=CLIPS,
        engine=engine,
        progress=progress or Silence(),
    )


def _bytes(folder: Path) -> tuple[bytes, bytes]:
    return (folder / "data.bin").read_bytes(), (folder / "index.jsonl").read_bytes()


@pytest.fixture(scope="module")
def local(jobs: list[Job], tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """What this machine alone writes, with one thread of arithmetic as a worker has."""
    folder = tmp_path_factory.mktemp("local")
    cores = len(os.sched_getaffinity(0))
    assert _extract(jobs, folder, _engine(None, workers=cores)).encoded == CLIPS
    return _bytes(folder)


class _Killer(Silence):
    """Kills a worker of the second node when some clips are written."""

    def __init__(self, cluster: Cluster, after: int) -> None:
        self._cluster, self._after = cluster, after
        self.done, self.said = 0, list[str]()
        self.workers: list[list[int]] = []

    def advance(self, steps: int = 1) -> None:
        self.done += steps
        if self.done >= self._after and not self.workers:
            found = self._cluster.workers()
            if all(found):
                self.workers = found
                os.kill(found[1][0], signal.SIGKILL)

    def say(self, sentence: str) -> None:
        self.said.append(sentence)


@needs_ray
def test_a_worker_killed_on_one_of_two_nodes_costs_nothing(
    cluster: Cluster, jobs: list[Job], local: tuple[bytes, bytes], tmp_path: Path
) -> None:
    killer = _Killer(cluster, 20)
    encoder = load_encoder("mert-random", size="small", device="cpu")  # with a recipe
    outcome = _extract(jobs, tmp_path / "store", _engine(cluster.address), killer, encoder)
    assert [len(each) for each in killer.workers] == [1, 1]  # one on each node
    assert sum("another takes its tracks" in each for each in killer.said) == 1
    assert outcome.encoded == killer.done == CLIPS  # none twice
    assert _bytes(tmp_path / "store") == local
    assert not import_module("ray").is_initialized()


_DRIVER = """
import sys
from pathlib import Path
from marble_eval.features.extraction import Job
from marble_eval.files.fingerprint import file_digest
from tests.features.workers.test_ray_cluster import _engine, _extract

if __name__ == "__main__":
    jobs = [Job(file_digest(each), each) for each in sorted(Path(sys.argv[1]).glob("*.wav"))]
    _extract(jobs, Path(sys.argv[2]), _engine(sys.argv[3], workers=1))
"""


@needs_ray
def test_a_killed_driver_takes_its_workers_along_and_the_next_goes_on(
    cluster: Cluster, jobs: list[Job], local: tuple[bytes, bytes], tmp_path: Path
) -> None:
    (tmp_path / "driver.py").write_text(_DRIVER)
    root = Path(__file__).parents[3]
    driver = subprocess.Popen(
        [sys.executable, tmp_path / "driver.py", jobs[0].path.parent, tmp_path / "store",
         cluster.address],
        env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    index = tmp_path / "store" / "index.jsonl"
    deadline = time.monotonic() + 60
    while not index.exists() or index.read_bytes().count(b"\n") < 20:
        assert driver.poll() is None and time.monotonic() < deadline
        time.sleep(0.002)
    driver.kill()
    driver.wait()
    stored = index.read_bytes().count(b"\n")
    assert 20 <= stored < CLIPS
    while any(cluster.workers()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    outcome = _extract(jobs, tmp_path / "store", _engine(cluster.address, workers=1))
    assert outcome.encoded == CLIPS - stored
    assert _bytes(tmp_path / "store") == local


class Broken:
    """Made here, so that it is sent whole."""

    name, sample_rate, frame_rate, layers, width = "broken", RATE, 75.0, ("0",) * 5, 192

    def hidden_states(self, audio: Any) -> Any:
        raise MarbleError("broken: has no answer. Got a question.")

    def fingerprint(self) -> str:
        return "broken"


@needs_ray
def test_an_error_of_the_encoder_is_its_own_and_the_workers_end(
    cluster: Cluster, jobs: list[Job], tmp_path: Path
) -> None:
    with pytest.raises(MarbleError, match=r"^broken: has no answer\. Got a question\.$"):
        _extract(jobs, tmp_path, _engine(cluster.address, workers=1), encoder=Broken())
    deadline = time.monotonic() + 30
    while any(cluster.workers()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@needs_ray
def test_frames_of_long_tracks_come_in_pieces_and_are_the_same(
    cluster: Cluster, tmp_path: Path
) -> None:
    from marble_eval.audio.pieces import FrameGrid

    rng = np.random.default_rng(1)
    encoder = random_mert(size="small", seed=0, precision="float32", device="cpu")
    cuts = FrameCuts(WINDOWING, True, 400, FrameGrid(RATE, 75.0, 1), (0, 1, 2, 3, 4), 0.0)
    jobs = []
    for number, seconds in enumerate((4.0, 1.7, 3.2)):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, rng.uniform(-0.5, 0.5, round(seconds * RATE)), RATE)
        jobs.append(Job(file_digest(path), path))
    for name, engine in (("here", _engine(None)), ("there", _engine(cluster.address, workers=1))):
        store = FrameStore(tmp_path / name, layers=5, width=192, dtype="float16")
        extract(jobs, encoder, store, cuts, expected_clips=18, engine=engine, progress=Silence())
    files = [
        {each.name: each.read_bytes() for each in (tmp_path / name).glob("??/*.frames")}
        for name in ("here", "there")
    ]
    assert len(files[0]) == 3
    assert files[0] == files[1]


# --- without a cluster -------------------------------------------------------------------


def test_without_ray_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, jobs: list[Job], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingError, match=r"needs the package ray.*pip install ray"):
        _extract(jobs, tmp_path, _engine("auto"))


def test_a_cluster_that_is_not_there_is_named(jobs: list[Job], tmp_path: Path) -> None:
    class Absent:
        def is_initialized(self) -> bool:
            return False

        def init(self, **options: Any) -> None:
            raise ConnectionError("Could not find any running Ray instance.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "ray", Absent())
        with pytest.raises(SpecError, match=r"Got 'auto': Could not find.*engine\.address=local"):
            RayCluster(_engine("auto"))


@pytest.mark.parametrize(
    ("resources", "changes", "size"),
    [
        ({"CPU": 8.0}, {"device": "auto"}, 8),
        ({"CPU": 8.0}, {"cpus": 3.0}, 2),
        ({"CPU": 8.0}, {"workers": 5}, 5),
        ({"CPU": 8.0, "GPU": 4.0}, {"device": "auto"}, 4),
        ({"CPU": 8.0, "GPU": 4.0}, {"device": "auto", "gpus": 0.5}, 8),
        ({"CPU": 8.0, "GPU": 4.0}, {"device": "cpu"}, 8),
        ({"CPU": 3.0, "GPU": 4.0}, {"device": "auto"}, 3),
        ({"CPU": 8.0}, {"device": "cuda"}, None),
        ({"CPU": 8.0, "GPU": 4.0}, {"device": "cpu", "gpus": 1.0}, None),
        ({}, {}, None),
    ],
)
def test_there_are_as_many_workers_as_the_cluster_has_room_for(
    resources: dict[str, float], changes: dict[str, Any], size: int | None
) -> None:
    class Known:
        def is_initialized(self) -> bool:
            return True

        def cluster_resources(self) -> dict[str, float]:
            return resources

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "ray", Known())
        if size is None:
            with pytest.raises(SpecError, match="engine"):
                RayCluster(_engine("auto", **changes))
        else:
            assert RayCluster(_engine("auto", **changes)).size == size
