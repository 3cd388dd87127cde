"""A released name, card and commit belong to weights that are proven to be the released ones."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from marble_eval.encoders.checkpoints.released import RELEASED
from marble_eval.encoders.loaded import LoadedEncoder
from marble_eval.encoders.mert import load_mert
from marble_eval.errors import SpecError
from marble_eval.registry import load_encoder
from marble_eval.registry.configuration import config_names, read_config
from marble_eval.spec import EncoderCard
from tests.encoders.encodec_checkpoints import save_encodec

DATA = Path(__file__).parents[1] / "data"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
HUB = "m-a-p/MERT-v1-95M"
#: The card of a released network that has the shape of the tiny checkpoint.
CARD = EncoderCard(
    licence="cc-by-nc-4.0",
    trained_on="20,000 hours",
    citation="arXiv 2306.00107",
    layers=4,
    width=32,
    sample_rate=24000,
    frame_rate=75.0,
)


def load(folder: Path, **options: Any) -> LoadedEncoder:
    defaults: dict[str, Any] = {
        "name": "MERT-v1-95M",
        "path": str(folder),
        "hub": HUB,
        "revision": None,
        "precision": "float32",
        "normalise": True,
        "random": None,
        "card": CARD,
        "device": "cpu",
    }
    return load_mert(**{**defaults, **options})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA / "mert" / "mert-v1-95m-like", tmp_path / "my-training"))


def record(folder: Path) -> None:
    """Leave beside each file what `hf download --local-dir` leaves: commit, ETag and time."""
    records = folder / ".cache" / "huggingface" / "download"
    records.mkdir(parents=True)
    for file in [each for each in folder.iterdir() if each.is_file()]:
        content = file.read_bytes()
        if file.suffix == ".bin":  # large files have their SHA-256, small ones Git's digest
            digest = hashlib.sha256(content).hexdigest()
        else:
            digest = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        (records / f"{file.name}.metadata").write_text(f"{COMMIT}\n{digest}\n1700000000.0\n")


def is_released(encoder: LoadedEncoder) -> bool:
    found = encoder.name, encoder.revision, encoder.card
    return found == ("MERT-v1-95M", COMMIT, CARD)


# --- weights of one's own ---


@pytest.mark.parametrize(
    ("name", "path"),
    [("mert-v1-95m", "mert/mert-v1-95m-like"), ("muq", "muq/muq-25hz-like")],
)
def test_another_architecture_than_the_name_stands_for_is_refused(name: str, path: str) -> None:
    with pytest.raises(SpecError, match=r"must hold the network of .*, layers 13, width .* Got"):
        load_encoder(name, path=str(DATA / path), device="cpu")


def test_another_codec_is_refused_and_runs_under_a_name_of_its_own(tmp_path: Path) -> None:
    save_encodec(tmp_path / "codec")
    with pytest.raises(SpecError, match=r"network of EnCodec-24kHz, .* encoder\.name=NAME"):
        load_encoder("encodec-24khz", path=str(tmp_path / "codec"), device="cpu")
    mine = load_encoder("encodec-24khz", path=str(tmp_path / "codec"), name="mine", device="cpu")
    assert mine.name == "mine" and mine.card == EncoderCard()  # type: ignore[attr-defined]


def test_a_network_of_the_same_shape_is_named_after_its_folder(folder: Path) -> None:
    encoder = load(folder)
    assert encoder.name == "my-training"
    assert encoder.card == EncoderCard()  # licence, training data and citation "not stated"
    assert encoder.revision.startswith("local-")


def test_a_folder_with_a_released_name_does_not_make_it_so(folder: Path) -> None:
    renamed = folder.rename(folder.with_name("mert-v1-330m"))
    assert load(renamed).name == "mert-v1-330m (local)"


def test_a_name_that_is_given_stays_unless_it_is_a_released_one(folder: Path) -> None:
    assert load(folder, name="mine").name == "mine"
    assert load(folder, name="mert-v0-95m").name == "my-training"
    assert load(folder, name="mine", random=3).name == "mine (random 3)"


def test_a_readme_states_licence_and_data(folder: Path) -> None:
    text = "---\nlicense: mit\ndatasets: [tones, noises]\nmodel_name: Toner\n---\n"
    (folder / "README.md").write_text(text)
    encoder = load(folder)
    assert encoder.name == "Toner"
    assert encoder.card == EncoderCard(licence="mit", trained_on="tones, noises")


def test_a_card_beside_the_weights_comes_first(folder: Path) -> None:
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    (folder / "card.yaml").write_text("name: Mine\nlicence: CC0-1.0\ntrained_on: hums\n")
    encoder = load(folder)
    assert (encoder.name, encoder.card.licence) == ("Mine", "CC0-1.0")
    (folder / "card.yaml").write_text("license: CC0-1.0\n")
    with pytest.raises(SpecError, match=r"card\.yaml.*'license'"):
        load(folder)


# --- released weights ---


def test_a_download_with_its_records_is_the_released_one(folder: Path) -> None:
    record(folder)
    assert is_released(load(folder))
    assert load(folder, name="shown otherwise").card == CARD


@pytest.mark.parametrize("file", ["pytorch_model.bin", "config.json"])
def test_a_file_that_is_not_as_downloaded_proves_nothing(folder: Path, file: str) -> None:
    record(folder)
    if file == "config.json":
        (folder / file).write_text((folder / file).read_text() + "\n")
    else:
        records = folder / ".cache" / "huggingface" / "download" / f"{file}.metadata"
        records.write_text(records.read_text().replace("\n", "\n0", 1))
    assert not is_released(load(folder))


def test_weights_without_a_record_beside_those_with_one_prove_nothing(folder: Path) -> None:
    record(folder)
    (folder / ".cache" / "huggingface" / "download" / "pytorch_model.bin.metadata").unlink()
    assert not is_released(load(folder))


@pytest.mark.parametrize(("repository", "released"), [(HUB, True), ("others/MERT-v1-95M", False)])
def test_the_hubs_own_cache_proves_commit_and_repository(
    folder: Path, tmp_path: Path, repository: str, released: bool
) -> None:
    root = tmp_path / f"models--{repository.replace('/', '--')}"
    snapshot, blobs = root / "snapshots" / COMMIT, root / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for file in folder.iterdir():
        blob = blobs / hashlib.sha256(file.read_bytes()).hexdigest()
        shutil.copy(file, blob)
        (snapshot / file.name).symlink_to(blob)
    assert is_released(load(snapshot)) == released


def test_another_repository_of_the_hub_is_not_the_released_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = Path(shutil.copytree(folder, folder.with_name(COMMIT)))
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda hub, **_: str(commit))
    assert is_released(load(folder, path=None))
    other = load(folder, path=None, hub="others/MERT-v1-95M")
    assert (other.name, other.revision) == ("others/MERT-v1-95M", COMMIT)
    assert other.card == EncoderCard()


@pytest.mark.parametrize("name", ["musicfm-msd", "musicnn-mtt"])
def test_a_variant_that_the_name_does_not_say_is_refused(name: str) -> None:
    variant = {"musicfm-msd": "fma", "musicnn-mtt": "MSD_musicnn"}[name]
    with pytest.raises(SpecError, match="'variant' must be what the name says"):
        load_encoder(name, variant=variant, random=0, device="cpu")


def test_every_shipped_encoder_with_weights_keeps_its_name() -> None:
    configs = [read_config("encoder", each) for each in config_names("encoder")]
    weighted = [each for each in configs if each.get("name") and "random" in each]
    assert {str(each["name"]).casefold(): each.get("hub") for each in weighted} == RELEASED
