"""Audio in folders named by class, split by published lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from marble_eval.data.layouts import read_layouts
from marble_eval.data.layouts.folders import ids_of
from marble_eval.data.tracks import check_tracks
from marble_eval.errors import MissingError
from marble_eval.spec import Layout, Track
from tests.data.layouts.conftest import (
    CSV,
    FOLDERS,
    JSONL,
    all_ids,
    card,
    lists,
    no_lists,
    reading,
    refusal,
    touch,
)

REAL_LISTS = Path(__file__).parents[4] / "shared" / "data" / "splits"


def test_folders_give_the_tracks_of_the_lists_in_their_order(tmp_path: Path) -> None:
    touch(tmp_path, *(f"audio/{name}.wav" for name in all_ids()), "audio/flute/f.9.wav")
    tracks = read_layouts(reading(tmp_path, card(FOLDERS), lists))
    assert [each.id for each in tracks] == all_ids()
    assert [each.split for each in tracks] == ["train"] * 3 + ["valid"] * 2 + ["test"] * 2
    assert tracks[1] == Track(
        id="clarinet/c.0",
        path=tmp_path / "audio/clarinet/c.0.wav",
        split="train",
        label="clarinet",
        group="clarinet/c.0",
    )
    check_tracks(tracks, card(FOLDERS), tmp_path)


def test_an_absent_file_is_still_a_track(tmp_path: Path) -> None:
    touch(tmp_path, *(f"audio/{name}.wav" for name in all_ids()[1:]))
    tracks = read_layouts(reading(tmp_path, card(FOLDERS), lists))
    assert len(tracks) == 7
    assert [each.id for each in tracks if not each.path.exists()] == ["flute/f.0"]
    assert tracks[0].path == tmp_path / "audio/flute/f.0.wav"


def test_extensions_may_be_mixed_and_the_first_of_the_card_wins(tmp_path: Path) -> None:
    touch(tmp_path, "audio/flute/f.0.au", "audio/flute/f.1.wav", "audio/flute/f.1.au")
    tracks = read_layouts(reading(tmp_path, card(FOLDERS), lists))
    by_id = {each.id: each for each in tracks}
    assert by_id["flute/f.0"].path.name == "f.0.au"
    assert by_id["flute/f.1"].path.name == "f.1.wav"


def test_a_folder_of_other_audio_is_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "audio_examples/hello.wav", "audio_full/flute/f.0.wav")
    (tmp_path / "audio.txt").touch()
    tracks = read_layouts(reading(tmp_path, card(FOLDERS), lists))
    assert tracks[0].path == tmp_path / "audio_full/flute/f.0.wav"


def test_linked_folders_are_followed(tmp_path: Path) -> None:
    touch(tmp_path, *(f"elsewhere/{name}.wav" for name in all_ids()))
    root = tmp_path / "root"
    (root / "audio").mkdir(parents=True)
    for label in ("flute", "clarinet", "organ"):
        (root / "audio" / label).symlink_to(tmp_path / "elsewhere" / label)
    tracks = read_layouts(reading(root, card(FOLDERS), lists))
    assert all(each.path.exists() for each in tracks)


def test_the_root_itself_may_be_the_folder(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{name}.wav" for name in all_ids()))
    here = Layout(form="folders", path="{id}.{extension}", extensions=("wav",))
    tracks = read_layouts(reading(tmp_path, card(here), lists))
    assert {each.path.parent.parent for each in tracks} == {tmp_path}


@pytest.mark.parametrize("names", [(), ("notes.txt",), ("audio/flute/readme.txt",), ("a/b.mp3",)])
def test_without_audio_the_lists_are_not_asked_for(tmp_path: Path, names: tuple[str, ...]) -> None:
    touch(tmp_path, *names)
    told = refusal(MissingError, reading(tmp_path, card(FOLDERS, JSONL, CSV), no_lists))
    assert told.startswith(f"{tmp_path}: must hold Small in a known layout. Looked for ")
    assert "audio*/{id}.{extension}; ./Small.train.jsonl and its siblings; ./tracks.csv" in told
    assert told.endswith("found none of them. Set task.root to the right folder.")


def test_audio_that_is_on_no_list_is_not_the_data(tmp_path: Path) -> None:
    touch(tmp_path, "audio/holiday.wav")
    assert "found none of them" in refusal(MissingError, reading(tmp_path, card(FOLDERS), lists))


def test_a_root_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    told = refusal(MissingError, reading(nowhere, card(FOLDERS)))
    assert told.startswith(f"{nowhere}: must be the folder that holds Small. Got nothing there.")
    nowhere.touch()
    assert "Got a file." in refusal(MissingError, reading(nowhere, card(FOLDERS)))


def test_ids_are_paths_without_extension_whatever_the_line_ends() -> None:
    assert ids_of(b"a/b.1.wav\r\n\r\n c/d.au \n") == ("a/b.1", "c/d")
    assert ids_of(b"") == ()


def test_the_published_lists_of_gtzan_are_read_whole() -> None:
    path = REAL_LISTS / "gtzan_train_filtered.txt"
    if not path.is_file():
        pytest.skip("the published lists of GTZAN are not beside the repository")
    ids = ids_of(path.read_bytes())
    assert len(ids) == 443  # Kereliuk et al. 2015
    assert ids[0].startswith("blues/blues.") and not ids[0].endswith(".wav")
