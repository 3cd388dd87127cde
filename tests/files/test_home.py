from pathlib import Path

import pytest
from huggingface_hub import constants

from marble_eval.files.home import home_folder, is_offline


@pytest.mark.parametrize(
    ("named", "cache", "folder"),
    [
        ("/data/marble", "/cache", "/data/marble"),
        ("~/marble", None, "/home/ada/marble"),
        (None, "/cache", "/cache/marble_eval"),
        (None, None, "/home/ada/.cache/marble_eval"),
        ("", "", "/home/ada/.cache/marble_eval"),
        (None, "cache", "/home/ada/.cache/marble_eval"),
    ],
)
def test_files_are_kept_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, named: str | None, cache: str | None, folder: str
) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    for name, value in (("MARBLE_EVAL_HOME", named), ("XDG_CACHE_HOME", cache)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert home_folder() == Path(folder)


def test_asking_for_the_folder_makes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARBLE_EVAL_HOME", str(tmp_path / "not" / "there"))
    assert home_folder() == tmp_path / "not" / "there"
    assert not (tmp_path / "not").exists()


@pytest.mark.parametrize(
    "value", [None, "", "0", "1", "2", "on", "ON", "off", "yes", "Yes", "no", "true", "True", "y"]
)
def test_offline_means_what_it_means_to_hugging_face(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    else:
        monkeypatch.setenv("HF_HUB_OFFLINE", value)
    assert is_offline() == constants._is_true(value)
