"""What a card may say of a download, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest

from marble_eval.errors import SpecError
from marble_eval.spec import Download, from_mapping

FILE = {
    "address": "http://download.magenta.tensorflow.org/datasets/nsynth/nsynth-test.jsonwav.tar.gz",
    "file": "nsynth-test.jsonwav.tar.gz",
    "bytes": 349_501_546,
    "digest": "md5:5e6f8719bf7e16ad0a00d518b78af77d",
    "unpack": "tar",
}
HUB = {"address": "hf://datasets/m-a-p/EMO"}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    "values",
    [
        FILE,
        FILE | {"bytes": None, "into": "a/b"},
        FILE | {"unpack": "", "file": "a/b.csv", "digest": f"sha256:{'0' * 64}"},
        FILE | {"address": "https://zenodo.org/records/1/files/a%20b.zip?download=1"},
        HUB,
        HUB | {"revision": COMMIT, "patterns": ["*.wav", "data/*"], "bytes": 10},
    ],
)
def test_a_sound_download_is_taken(values: dict[str, Any]) -> None:
    made = from_mapping(Download, values, "card")
    assert made.address == values["address"]
    assert made.is_repository == (made.address == HUB["address"])


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        (FILE | {"digest": ""}, "'digest' must be sha256: or md5:"),
        (FILE | {"digest": "5e6f8719bf7e16ad0a00d518b78af77d"}, "'digest' must be"),
        (FILE | {"digest": "sha256:5e6f8719bf7e16ad0a00d518b78af77d"}, "'digest' must be"),
        (FILE | {"digest": "md5:5E6F8719BF7E16AD0A00D518B78AF77D"}, "'digest' must be"),
        (FILE | {"digest": f"sha1:{'0' * 40}"}, "'digest' must be"),
        (FILE | {"address": "ftp://example.org/a"}, "'address' must be https://"),
        (FILE | {"address": "example.org/a"}, "'address' must be https://"),
        (FILE | {"address": "https://example.org/a b"}, "without blanks"),
        (FILE | {"file": ""}, "'file' must be given"),
        (FILE | {"file": "."}, "'file' must be given"),
        (FILE | {"file": "../a"}, "'file' must lie below the task's root. Got '../a'"),
        (FILE | {"file": "/a"}, "'file' must lie below the task's root. Got '/a'"),
        (FILE | {"into": "a/../.."}, "'into' must lie below the task's root"),
        (FILE | {"unpack": "", "into": "a"}, "'into' must be left out for what is not unpacked"),
        (FILE | {"unpack": "rar"}, "'unpack' must be one of , zip, tar. Got 'rar'"),
        (FILE | {"bytes": -1}, "'bytes' must not be negative. Got -1"),
        (FILE | {"revision": COMMIT}, "belong to repositories of the hub"),
        (FILE | {"patterns": ["*"]}, "belong to repositories of the hub"),
        (HUB | {"digest": FILE["digest"]}, "must be empty for 'hf://datasets/m-a-p/EMO'"),
        (HUB | {"file": "a"}, "must be empty for 'hf://datasets/m-a-p/EMO'"),
        (HUB | {"unpack": "zip"}, "must be empty for 'hf://datasets/m-a-p/EMO'"),
        (HUB | {"into": "a"}, "'into' must be left out"),
        (HUB | {"revision": "main"}, "'revision' must be a commit, 40 hexadecimal digits"),
        (HUB | {"patterns": [""]}, "'patterns' must not be empty"),
        (HUB | {"address": "hf://datasets/m-a-p"}, "'address' must be https://"),
        (HUB | {"address": "hf://m-a-p/EMO"}, "'address' must be https://"),
        (HUB | {"address": "hf://datasets/m-a-p/EMO/data"}, "'address' must be https://"),
    ],
)
def test_a_download_that_cannot_be_checked_or_leads_out_is_refused(
    values: dict[str, Any], rule: str
) -> None:
    with pytest.raises(SpecError) as caught:
        from_mapping(Download, values, "tasks/emo/task.yaml: 'downloads[0]'")
    assert rule in str(caught.value)
    assert str(caught.value).startswith("tasks/emo/task.yaml: 'downloads[0]'")
