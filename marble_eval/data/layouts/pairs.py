"""Audio with an annotation file for each track: beats, chords or notes, one's own or published.

Every audio file below a folder is a track. Its annotation is called as the card's
``path`` says and lies beside it, or anywhere else below the root if one file alone is
called so: Ballroom has its beats in a folder of their own. Names are compared as
Unicode means them, since macOS writes an umlaut in two parts. Hidden files and folders
are left alone, linked folders are followed. The tracks are divided once, by rule, and
the division is kept in the root as ``<task>.split.csv``, columns id and split; whoever
has a division already writes that file first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from marble_eval.data.layouts import Reading
from marble_eval.data.layouts.division import divided
from marble_eval.data.layouts.rows import refuse
from marble_eval.data.text_files import nfc, normal
from marble_eval.errors import MissingError, ValidationError
from marble_eval.spec import SPLITS, Layout, Track

_FEWEST = 10  # tracks that `marble_eval.data.layouts.division` can divide


class _Audio(NamedTuple):
    """An audio file, with the name that its annotation must have."""

    id: str
    path: Path
    annotation: str


class _Pair(NamedTuple):
    audio: _Audio
    annotation: Path


class _Fault(NamedTuple):
    path: Path
    sentence: str


def read(reading: Reading, layout: Layout) -> list[Track]:
    """Read the audio in ``folder`` with the annotations called ``path``; none without either.

    An annotation without audio is a fault, or a track that was lost would go unnoticed; but a
    card with ``sizes`` notices by itself, and may leave published annotations out.
    """
    root = reading.root
    audio = _audio_below(root / layout.folder, layout)
    kept = f"{reading.spec.name}.split.csv"
    annotations = [
        path for path in _files_below(root) if path.name != kept and _is_annotation(path, layout)
    ]
    if not audio or not annotations:
        return []
    pairs, faults = _paired(audio, annotations)
    if not reading.spec.sizes:
        faults += _strays(annotations, pairs, audio)
    tracks = []
    for each in pairs:
        try:
            tracks.append(_track(each, reading, layout))
        except ValueError as error:
            faults.append(_Fault(each.audio.path, str(error)))
    refuse(
        [
            f"{path.relative_to(root) if path.is_relative_to(root) else path}: {sentence}"
            for path, sentence in sorted(faults)
        ],
        root,
        "files",
    )
    if len(tracks) < _FEWEST and not (root / kept).exists():
        raise ValidationError(
            f"{root}: must have {_FEWEST} or more tracks to be divided. Got {len(tracks)}. Add "
            f"some, or write {root / kept} with the columns id, split, and {', '.join(SPLITS)}."
        )
    return divided(tracks, root / reading.spec.name)


def _audio_below(folder: Path, layout: Layout) -> list[_Audio]:
    extensions = {f".{each.lower()}" for each in layout.extensions}
    return sorted(
        _Audio(
            id=_id_of(path.relative_to(folder)),
            path=path,
            annotation=nfc(layout.path.replace("{stem}", path.stem)),
        )
        for path in _files_below(folder)
        if path.suffix.lower() in extensions
    )


def _id_of(path: Path) -> str:
    try:
        return normal(path.with_suffix("").as_posix())
    except ValueError:
        raise ValidationError(f"{str(path)!r}: must have a name in UTF-8. Rename it.") from None


def _files_below(folder: Path) -> list[Path]:
    try:
        return list(_walk(folder, frozenset())) if folder.is_dir() else []
    except OSError as error:
        raise MissingError(
            f"{error.filename}: cannot be read: {error.strerror}. Make it readable."
        ) from error


def _walk(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    here = folder.resolve()
    if here in above:
        return  # a link that leads back to a folder that is being read
    for each in sorted(folder.iterdir()):
        if each.name.startswith("."):
            continue  # ._song.wav, which macOS leaves behind, is no audio
        if each.is_dir():
            yield from _walk(each, above | {here})
        else:
            yield each


def _is_annotation(path: Path, layout: Layout) -> bool:
    before, after = (nfc(each) for each in layout.path.split("{stem}"))
    name = nfc(path.name)
    return name.startswith(before) and name.endswith(after) and len(name) > len(before + after)


def _paired(
    audio: Sequence[_Audio], annotations: Sequence[Path]
) -> tuple[list[_Pair], list[_Fault]]:
    """Find the annotation of each track; where there is not one alone, say so."""
    by_place = {(path.parent, nfc(path.name)): path for path in annotations}
    beside = {each: by_place.get((each.path.parent, each.annotation)) for each in audio}
    taken = set(beside.values())
    elsewhere: dict[str, list[Path]] = {}
    for path in annotations:
        if path not in taken:
            elsewhere.setdefault(nfc(path.name), []).append(path)
    pairs: list[_Pair] = []
    faults: list[_Fault] = []
    first_of: dict[str | Path, Path] = {}
    for each in audio:
        own = beside[each]
        there = elsewhere.get(each.annotation, []) if own is None else [own]
        if first_of.setdefault(each.id, each.path) != each.path:
            told = f"a track must have one audio file. Got {first_of[each.id].name} too."
        elif len(there) != 1:
            got = ", ".join(map(str, there)) or "none"
            told = f"must have one annotation called {each.annotation!r}. Got {got}."
        elif first_of.setdefault(there[0], each.path) != each.path:
            told = f"must have its own annotation. Got {there[0]}, that of {first_of[there[0]]}."
        else:
            pairs.append(_Pair(each, there[0]))
            continue
        faults.append(_Fault(each.path, told))
    return pairs, faults


def _strays(
    annotations: Sequence[Path], pairs: Sequence[_Pair], audio: Sequence[_Audio]
) -> list[_Fault]:
    """Name the annotations of no track, but for those that audio without its own may mean."""
    paired = {each.audio for each in pairs}
    used = {each.annotation for each in pairs}
    told = {each.annotation for each in audio if each not in paired}
    rule = "an annotation must have its audio. Got none. Add it, or take the file away."
    return [
        _Fault(path, rule)
        for path in annotations
        if path not in used and nfc(path.name) not in told
    ]


def _track(pair: _Pair, reading: Reading, layout: Layout) -> Track:
    audio = pair.audio
    row = {
        "path": audio.path.relative_to(reading.root / layout.folder).as_posix(),
        layout.label: pair.annotation.relative_to(reading.root).as_posix(),
    }
    return Track(
        id=audio.id,
        path=audio.path,
        split="",
        label=reading.label_of(row, layout.label, reading.spec),
        group=audio.id,
    )
