"""The form of audio with an annotation file for each track: what a card may say of it."""

from __future__ import annotations

from typing import Any

import pytest

from marble_eval.errors import SpecError
from marble_eval.spec import Layout, from_mapping

PAIRS = {"form": "pairs", "path": "{stem}.beats", "extensions": ["wav", "flac"]}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"folder": "BallroomData"},
        {"path": "{stem}.wav.jams"},
        {"path": "beats of {stem} (Ann).txt"},
        {"label": "beats"},
    ],
)
def test_pairs_are_taken(changes: dict[str, Any]) -> None:
    layout = from_mapping(Layout, {**PAIRS, **changes}, "card")
    assert layout.form == "pairs"
    assert layout.extensions == ("wav", "flac")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": ""}, "'path' must be given for the form 'pairs'. Add it."),
        ({"extensions": []}, "'extensions' must be given for the form 'pairs'. Add them."),
        ({"extensions": [".wav"]}, "'extensions' must be written without a dot. Got '.wav'."),
        ({"extensions": [""]}, "'extensions' must be written without a dot. Got ''."),
        ({"path": "beats.txt"}, "and hold {stem} once and no other braces. Got 'beats.txt'."),
        ({"path": "{id}.txt"}, "and hold {stem} once and no other braces. Got '{id}.txt'."),
        ({"path": "{stem}-{stem}.txt"}, "hold {stem} once"),
        ({"path": "{stem}{extension}.txt"}, "no other braces."),
        ({"path": "beats/{stem}.txt"}, "must be the name of a file, without folder"),
        ({"path": "{stem}"}, "'path' must end with the extension of an annotation file"),
        ({"path": "{stem}.WAV"}, "an annotation file, none of audio. Got '{stem}.WAV'."),
        ({"folder": "/data"}, "'folder' must lie below the task's root. Got '/data'."),
    ],
)
def test_pairs_that_cannot_be_read_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        from_mapping(Layout, {**PAIRS, **changes}, "card")
    assert str(caught.value).startswith("card: ")
    assert message in str(caught.value)
