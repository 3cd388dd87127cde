"""MagnaTagATune as it lies on disk: MARBLE v2's lists, MARBLE v1's arrays, or its own release.

A clip's id is "<digit>/<name>": its folder, a hexadecimal digit, and its file without the
ending. The digit is the published split: 0 to b train, c valid, d to f test. Clips without
any of the card's tags are kept. The name begins with the artist; as artists are in more than
one split (never albums, as far as is known), a group is an artist within a split.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from marble_eval.data.layouts import Reading, check_root, jsonl, where_to_get
from marble_eval.data.layouts.rows import refuse, text_of
from marble_eval.errors import MissingError, ValidationError
from marble_eval.kinds.tagging import KIND as tagging
from marble_eval.spec import SPLITS, TaskSpec, Track

if TYPE_CHECKING:
    from marble_eval.data.layouts import Lists

_RELEASE = "annotations_final.csv"
_TAGS, _POSITIVES = "tags.npy", "binary_label.npy"
_SPLIT_OF = dict(zip("0123456789abcdef", ["train"] * 12 + ["valid"] + ["test"] * 3, strict=True))


class Clip(NamedTuple):
    """What a layout says of a clip: its file, its split, its tags in any order."""

    path: Path
    split: str
    tags: frozenset[str]


def read_tracks(root: Path, spec: TaskSpec, lists: Lists) -> list[Track]:
    """Read the clips of the first layout that is there.

    Parameters
    ----------
    root : Path
        The user's copy.
    spec : TaskSpec
        The card.
    lists : callable
        Not asked for anything: the split is in the paths.

    Returns
    -------
    list of Track
        In the order of the layout's files; absent audio included.

    Raises
    ------
    MissingError
        If the folder holds none of the layouts, or only a part of one.
    ValidationError
        If a file or a row breaks a rule.
    """
    check_root(root, spec)
    clips = (
        _in_lists(Reading(root, spec, lists, tagging.label_of))
        or _in_arrays(root, spec)
        or _in_release(root, spec)
    )
    if not clips:
        raise MissingError(
            f"{root}: must hold {spec.name} in a known layout. Looked for MARBLE v2's lists "
            f"(MTT.train.jsonl and its siblings), MARBLE v1's arrays ({_TAGS}, {_POSITIVES}, "
            f"train.tsv and its siblings) and the release ({_RELEASE}); found none of them. "
            f"Set task.root to the right folder{where_to_get(spec)}."
        )
    _check_splits(clips, root)
    return [_track(each, spec) for each in clips]


def artist_of(name: str) -> str:
    """Read the artist from a clip's id.

    Parameters
    ----------
    name : str
        "<digit>/<artist>-<album>-<track>-<title>-<start>-<end>", other signs than
        letters and digits written as underscores.

    Returns
    -------
    str
        What stands before the first hyphen.

    Examples
    --------
    >>> artist_of("6/norine_braun-now_and_zen-08-gently-117-146")
    'norine_braun'
    """
    return PurePosixPath(name).name.partition("-")[0]


def _name_of(path: Path) -> str:
    return str(PurePosixPath(*path.parts[-2:]).with_suffix(""))


def _split_of(name: str) -> str:
    """Say which split a folder belongs to; "" if its name is no digit."""
    return _SPLIT_OF.get(PurePosixPath(name).parent.name, "")


def _track(clip: Clip, spec: TaskSpec) -> Track:
    name = _name_of(clip.path)
    unknown = sorted(clip.tags - set(spec.labels))  # refused later, together with other faults
    label = (*(each for each in spec.labels if each in clip.tags), *unknown)
    return Track(name, clip.path, clip.split, label, f"{clip.split}/{artist_of(name)}")


def _check_splits(clips: Sequence[Clip], root: Path) -> None:
    faults = []
    for each in clips:
        name = _name_of(each.path)
        wanted = _split_of(name)
        if not wanted:
            faults.append(f"{name}: must lie in a folder named by one of {''.join(_SPLIT_OF)}.")
        elif wanted != each.split:
            faults.append(f"{name}: must be in {wanted}, as its folder says. Got {each.split}.")
    refuse(faults, root)


def _above(root: Path) -> Path:
    """Say where the sixteen folders lie: in `mp3`, or in the root."""
    return root / "mp3" if (root / "mp3").is_dir() else root


def _audio(above: Path, published: str) -> Path:
    """Find a path of a table below the sixteen folders, whatever it begins with."""
    return above.joinpath(*PurePosixPath(published).parts[-2:])


def _in_lists(reading: Reading) -> list[Clip]:
    tracks = [each for layout in reading.spec.data for each in jsonl.read(reading, layout)]
    return [Clip(each.path, each.split, frozenset(map(str, each.label))) for each in tracks]


def _in_arrays(root: Path, spec: TaskSpec) -> list[Clip]:
    """Read MARBLE v1's files: a row of zeros and ones for each number in the split's table."""
    if not (root / _TAGS).exists():
        return []
    for name in (_POSITIVES, *(f"{split}.tsv" for split in SPLITS)):
        if not (root / name).exists():
            raise MissingError(f"{root / name}: must lie beside {_TAGS}. Add it.")
    tags = _array(root / _TAGS)
    if tags.ndim != 1 or sorted(map(str, tags)) != sorted(spec.labels):
        raise ValidationError(
            f"{root / _TAGS}: must name the {len(spec.labels)} tags of {spec.name}, in any order. "
            f"Got {tags.shape} names, {list(map(str, tags.ravel()[:3]))} and so on."
        )
    positives = _array(root / _POSITIVES)
    if (
        positives.ndim != 2
        or positives.shape[1] != len(tags)
        or not np.isin(positives, (0, 1)).all()
    ):
        raise ValidationError(
            f"{root / _POSITIVES}: must be zeros and ones, a row for each clip and a column for "
            f"each of {len(tags)} tags. Got {positives.dtype} of shape {positives.shape}."
        )
    above = _above(root)
    return [
        Clip(_audio(above, audio), split, frozenset(map(str, tags[positives[number] == 1])))
        for split in SPLITS
        for number, audio in _numbered(root / f"{split}.tsv", len(positives))
    ]


def _array(path: Path) -> np.ndarray:
    """Load an array, never by unpickling."""
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValidationError(
            f"{path}: must be an array of numbers or of text, not of Python objects, since to load "
            f"those is to run whatever is in the file. Got: {error}. Save it anew with dtype=str "
            f"or int, or delete {_TAGS} to have {_RELEASE} read in its place."
        ) from None
    return np.asarray(array)


def _numbered(path: Path, rows: int) -> list[tuple[int, str]]:
    found, faults = [], []
    for line, text in enumerate(text_of(path).splitlines(), start=1):
        if not text.strip():
            continue
        number, _, audio = text.partition("\t")
        if number.isdecimal() and int(number) < rows and PurePosixPath(audio).suffix:
            found.append((int(number), audio))
        else:
            faults.append(
                f"line {line}: must be a row of {_POSITIVES}, 0 to {rows - 1}, a tab and a path. "
                f"Got {text!r}."
            )
    refuse(faults, path)
    return found


def _in_release(root: Path, spec: TaskSpec) -> list[Clip]:
    """Read the publisher's table: 188 columns of tags, of which the card's are taken."""
    path = root / _RELEASE
    if not path.exists():
        return []
    clips, faults, above = [], [], _above(root)
    for line, row in _cells(path, (*spec.labels, "mp3_path")):
        *marks, audio = row
        if set(marks) <= {"0", "1"} and PurePosixPath(audio).suffix:
            tags = frozenset(tag for tag, on in zip(spec.labels, marks, strict=True) if on == "1")
            clips.append(Clip(_audio(above, audio), _split_of(audio), tags))
        else:
            faults.append(f"line {line}: must have 0 or 1 for each tag, and a path. Got {audio!r}.")
    refuse(faults, path)
    return clips


def _cells(path: Path, names: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """Yield the named cells of each row, with its line; "" where the row is too short."""
    reader = csv.reader(io.StringIO(text_of(path), newline=""), delimiter="\t")
    head = next(reader, [])
    absent = [each for each in names if each not in head]
    if absent:
        raise ValidationError(
            f"{path}: must have the columns {', '.join(names[-1:] + names[:2])} and so on, divided "
            f"by tabs. Missing: {', '.join(absent)}. Get the file anew."
        )
    places = [head.index(each) for each in names]
    for row in reader:
        if row:  # a blank line has no cell
            padded = [*row, *[""] * (len(head) - len(row))]
            yield reader.line_num, [padded[each] for each in places]
