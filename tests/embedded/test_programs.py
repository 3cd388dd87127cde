"""Programs, held against General MIDI and against the recordings inside the soundfont."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from functools import cache

import numpy as np
import pretty_midi
import pytest

from marble_eval.embedded.programs import DRUMS, FAMILIES, PITCHED, ROLES, Programs, drawn
from marble_eval.embedded.renderer import soundfont_path
from marble_eval.spec import SPLITS

MELODIC = {**FAMILIES, **ROLES, "pitched": PITCHED}
TABLES = {**MELODIC, **DRUMS}
REGISTER = (36, 88)  # where splits have programs of their own


@cache
def soundfont() -> dict[bytes, bytes]:
    """Read the chunks of the soundfont."""
    content, chunks, at = soundfont_path().read_bytes(), {}, 12
    while at < len(content):
        name, size = content[at : at + 4], struct.unpack_from("<I", content, at + 4)[0]
        if name == b"LIST":
            at += 12
            continue
        chunks[name] = content[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    return chunks


def generators(chunks: dict[bytes, bytes], letter: bytes, bag: int) -> dict[int, int]:
    """Read one zone of a soundfont: SoundFont 2.01, section 7."""
    first, last = (
        struct.unpack_from("<H", chunks[letter + b"bag"], 4 * at)[0] for at in (bag, bag + 1)
    )
    pairs = struct.iter_unpack("<HH", chunks[letter + b"gen"][4 * first : 4 * last])
    return dict(pairs)


def zones(
    chunks: dict[bytes, bytes], letter: bytes, bags: tuple[int, int], points_to: int
) -> list[tuple[int, int, int]]:
    """Return (lowest key, highest key, what is played) of a preset's or instrument's zones."""
    overall, found = (0, 127), []
    for bag in range(*bags):
        zone = generators(chunks, letter, bag)
        keys = (zone[43] & 255, zone[43] >> 8) if 43 in zone else overall
        if points_to in zone:
            found.append((*keys, zone[points_to]))
        elif bag == bags[0]:
            overall = keys
    return found


@cache
def recordings(program: int, lowest: int, highest: int, bank: int = 0) -> set[int]:
    """Return where in the soundfont the recordings begin that a program plays in a register."""
    chunks = soundfont()
    presets = list(struct.iter_unpack("<20sHHHIII", chunks[b"phdr"]))[:-1]
    last_bag = len(chunks[b"pbag"]) // 4 - 1
    instruments = [bag for _, bag in struct.iter_unpack("<20sH", chunks[b"inst"])]
    samples = [row[1] for row in struct.iter_unpack("<20sIIIIIBbHH", chunks[b"shdr"])]
    (index,) = (i for i, row in enumerate(presets) if row[1:3] == (program, bank))
    following = presets[index + 1][3] if index + 1 < len(presets) else last_bag
    first_to_last = (presets[index][3], following)
    found = set()
    for low, high, played in zones(chunks, b"p", first_to_last, 41):
        bags = (instruments[played], instruments[played + 1])
        for from_key, to_key, sample in zones(chunks, b"i", bags, 53):
            if max(low, from_key, lowest) <= min(high, to_key, highest):
                found.add(samples[sample])
    assert found
    return found


def numbers(table: Programs) -> Iterator[tuple[str, str, int]]:
    """Return (split, name, number) of every program of a table."""
    for split, programs in table.items():
        for name, number in programs.items():
            yield split, name, number


@pytest.mark.parametrize("name", TABLES)
def test_every_split_has_programs_and_no_program_is_there_twice(name: str) -> None:
    rows = list(numbers(TABLES[name]))
    assert {split for split, _, _ in rows} == set(SPLITS)
    for at in (1, 2):
        assert len({row[at] for row in rows}) == len(rows)


def test_a_family_has_eight_programs_or_more() -> None:
    assert all(len(list(numbers(table))) >= 8 for table in FAMILIES.values())


def test_families_have_the_names_and_families_of_general_midi() -> None:
    named = {"tuned percussion": {"Chromatic Percussion", "Percussive", "Ethnic"}} | {
        "strings": {"Strings", "Ensemble", "Ethnic"},  # the fiddle is among the ethnic ones
        "reed": {"Reed", "Ethnic"},
    }
    for family, table in FAMILIES.items():
        for _, name, program in numbers(table):
            midi_name = pretty_midi.program_to_instrument_name(program).lower()
            assert any(word in midi_name for word in name.split()), (name, midi_name)
            midi_family = pretty_midi.program_to_instrument_class(program)
            assert midi_family in named.get(family, {family.capitalize()})


@pytest.mark.parametrize("name", [*ROLES, "pitched"])
def test_programs_have_the_names_of_general_midi(name: str) -> None:
    for _, called, program in numbers(MELODIC[name]):
        midi_name = pretty_midi.program_to_instrument_name(program).lower()
        assert any(word.rstrip("s") in midi_name for word in called.split()), (called, midi_name)


def test_drums_have_the_names_of_general_midi() -> None:
    for table in DRUMS.values():
        for _, called, drum in numbers(table):
            midi_name = pretty_midi.note_number_to_drum_name(drum).lower()
            assert any(word in midi_name for word in called.split()), (called, midi_name)


def test_no_recording_of_the_soundfont_is_heard_in_two_splits() -> None:
    heard: dict[int, str] = {}
    for split, name, program in itertools.chain(*map(numbers, MELODIC.values())):
        for recording in recordings(program, *REGISTER):
            assert heard.setdefault(recording, split) == split, name
    assert len(heard) > 250
    # The rule has teeth: viola and violin share their recordings.
    assert recordings(40, *REGISTER) & recordings(41, *REGISTER)


def test_no_recording_of_a_drum_is_heard_in_two_splits() -> None:
    heard: dict[int, str] = {}
    for split, name, drum in itertools.chain(*map(numbers, DRUMS.values())):
        for recording in recordings(0, drum, drum, bank=128):
            assert heard.setdefault(recording, split) == split, name
    assert recordings(0, 41, 41, bank=128) & recordings(0, 43, 43, bank=128)  # the toms


def test_programs_are_drawn_from_their_split_or_from_all() -> None:
    rng = np.random.default_rng(0)
    for split in SPLITS:
        for _ in range(20):
            chosen = drawn(ROLES, split, rng)
            assert all(chosen[role] in ROLES[role][split].values() for role in ROLES)
    of_all = {drawn(ROLES, None, rng)["bass"] for _ in range(200)}
    assert of_all == {number for _, _, number in numbers(ROLES["bass"])}
