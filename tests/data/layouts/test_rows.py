"""Text files and their faults."""

from pathlib import Path

import pytest

from marble_eval.data.layouts.rows import refuse, text_of
from marble_eval.errors import ValidationError


def test_text_is_utf_8_with_or_without_a_mark(tmp_path: Path) -> None:
    path = tmp_path / "tracks.csv"
    for encoding in ("utf-8", "utf-8-sig"):
        path.write_bytes("größe\r\n\u2028".encode(encoding))
        assert text_of(path) == "größe\n\u2028"


def test_other_encodings_are_told_with_the_path(tmp_path: Path) -> None:
    path = tmp_path / "tracks.csv"
    path.write_bytes("\ngröße".encode("latin-1"))
    with pytest.raises(ValidationError) as caught:
        text_of(path)
    assert str(caught.value).startswith(f"{path}, line 2: must be UTF-8 text. Got invalid")
    assert caught.value.exit_code == 4


def test_a_fault_stands_behind_the_path_and_several_below_it() -> None:
    path = Path("a/tracks.csv")
    refuse([], path)
    with pytest.raises(ValidationError) as caught:
        refuse(["line 2: x."], path)
    assert str(caught.value) == "a/tracks.csv, line 2: x."
    with pytest.raises(ValidationError) as caught:
        refuse(["line 2: x.", "line 3: y."], path)
    assert str(caught.value) == "a/tracks.csv: 2 rows break a rule:\n  line 2: x.\n  line 3: y."


@pytest.mark.parametrize(("count", "end"), [(20, "line 19: x."), (21, "line 19: x.\n  and 1 more")])
def test_twenty_faults_are_listed_and_the_others_counted(count: int, end: str) -> None:
    with pytest.raises(ValidationError) as caught:
        refuse([f"line {number}: x." for number in range(count)], Path("t"))
    assert str(caught.value).startswith(f"t: {count} rows break a rule:\n  line 0: x.\n")
    assert str(caught.value).endswith(end)
