"""Notes and sustain pedals of a standard MIDI file (MIDI 1.0, RP-001).

Whatever is no note, pedal or tempo is passed over unread: a key signature that makes no
sense says nothing of the notes. Tempi count from whichever track they are in, and a
channel's pedal in whichever track it is in. As in pretty_midi a note without an end, or of
no length, is left out, and one release ends all notes of its key in its track. Times are
computed as pretty_midi does, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

_SUSTAIN = 64  # control change of the sustain pedal
_DRUMS = 9  # channel 10
_TEMPO, _END = 0x51, 0x2F  # meta events
_LENGTHS = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}  # bytes of data


class Event(NamedTuple):
    """An event at a tick: status without channel (or 0x51, a tempo), channel, data as a number."""

    tick: int
    status: int
    channel: int
    data: tuple[int, ...]


class Channel(NamedTuple):
    """What a channel plays: notes (note, 3) by their ends, as onset, end, pitch; pedal; last event.

    ``pedal`` (change, 2) has time and value, in order of time. Times are in seconds.
    """

    notes: np.ndarray
    pedal: np.ndarray
    end: float


def channels_of(content: bytes) -> list[Channel]:
    """Read the channels that are not drums; a ValueError says what is wrong with the file."""
    tracks, resolution = _tracks(content)
    seconds = _Clock(
        [each for track in tracks for each in track if each.status == _TEMPO], resolution
    )
    notes: dict[int, list[tuple[int, int, int]]] = {}
    for track in tracks:
        for channel, *note in _notes(track):
            notes.setdefault(channel, []).append((note[0], note[1], note[2]))
    found = []
    for channel, ticks in notes.items():
        if channel == _DRUMS:
            continue
        events = [each for track in tracks for each in track if each.channel == channel]
        pedal = sorted(
            (each.tick, number, each.data[1])
            for number, each in enumerate(events)
            if each.status == 0xB0 and each.data[0] == _SUSTAIN
        )
        ends = [each.tick for each in events if each.status in (0xB0, 0xE0)]
        last = max([*ends, *(end for _, end, _ in ticks)])
        table = np.array(ticks, dtype=np.float64)
        changes = np.array(pedal, dtype=np.float64).reshape(-1, 3)
        found.append(
            Channel(
                notes=np.column_stack([seconds(table[:, 0]), seconds(table[:, 1]), table[:, 2]]),
                pedal=np.column_stack([seconds(changes[:, 0]), changes[:, 2]]),
                end=float(seconds(np.array([last]))[0]),
            )
        )
    return found


class _Clock:
    """From ticks to seconds, by the tempi of a file."""

    def __init__(self, tempi: list[Event], resolution: int) -> None:
        self.starts, self.scales, self.ends = [0], [60.0 / (120.0 * resolution)], [0.0]
        for each in sorted(tempi, key=lambda each: each.tick):
            scale = 60.0 / ((6e7 / each.data[0]) * resolution)
            if each.tick == self.starts[-1]:
                self.scales[-1] = scale
            elif scale != self.scales[-1]:
                self.ends.append(float(self(np.array([each.tick]))[0]))
                self.starts.append(each.tick)
                self.scales.append(scale)

    def __call__(self, ticks: np.ndarray) -> np.ndarray:
        at = np.searchsorted(self.starts, ticks, side="right") - 1
        starts, scales, ends = (np.array(each) for each in (self.starts, self.scales, self.ends))
        seconds: np.ndarray = ends[at] + scales[at] * (ticks - starts[at])
        return seconds


def _notes(track: list[Event]) -> Iterator[tuple[int, int, int, int]]:
    """Yield the notes of a track in order of their ends: channel, ticks of onset and end, pitch."""
    sounding: dict[tuple[int, int], list[int]] = {}
    for each in track:
        if each.status not in (0x80, 0x90):
            continue
        pitch, velocity = each.data
        key = (each.channel, pitch)
        if each.status == 0x90 and velocity:
            sounding.setdefault(key, []).append(each.tick)
            continue
        begun = sounding.pop(key, [])
        ended = [tick for tick in begun if tick != each.tick]
        for tick in ended:
            yield each.channel, tick, each.tick, pitch
        if ended and len(ended) < len(begun):  # struck again at this very tick
            sounding[key] = [each.tick] * (len(begun) - len(ended))


def _tracks(content: bytes) -> tuple[list[list[Event]], int]:
    """Read the events of all tracks that matter, and the ticks of a quarter note."""
    chunks = list(_chunks(content))
    if not chunks or chunks[0][0] != b"MThd" or len(chunks[0][1]) < 6:
        raise ValueError(f"must begin with MThd. Got {content[:4]!r}")
    head = chunks[0][1]
    form, resolution = (int.from_bytes(head[at : at + 2], "big") for at in (0, 4))
    if resolution & 0x8000:
        raise ValueError(
            f"time must be counted in ticks of a quarter note. Got SMPTE time, "
            f"{256 - (resolution >> 8)} frames a second: save it with ticks and a tempo"
        )
    if form > 1:
        raise ValueError(f"must be of format 0 or 1. Got {form}, whose tracks have no common time")
    if not resolution:
        raise ValueError("must have ticks in a quarter note. Got 0")
    tracks = [list(_events(body)) for name, body in chunks if name == b"MTrk"]
    if not tracks:
        raise ValueError("must have a track. Got none")
    return tracks, resolution


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(content):
        name, length = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "big")
        if at == 0 and name != b"MThd":
            return
        body = content[at + 8 : at + 8 + length]
        if len(body) < length:
            raise ValueError(f"a chunk must have {length} bytes. Got {len(body)}: it is cut off")
        yield name, body
        at += 8 + length


def _events(body: bytes) -> Iterator[Event]:
    """Yield the notes, control changes, bends and tempi of a track."""
    at = tick = status = 0
    while at < len(body):
        delta, at = _number(body, at)
        tick += delta
        first = body[at] if at < len(body) else _cut()
        if first in (0xFF, 0xF0, 0xF7):
            kind, at = -1, at + 1
            if first == 0xFF:
                kind, at = body[at] if at < len(body) else _cut(), at + 1
            length, at = _number(body, at)
            data = body[at : at + length]
            if len(data) < length:
                _cut()
            at += length
            if kind == _END:
                return
            if kind == _TEMPO and (tempo := int.from_bytes(data[:3], "big")):
                yield Event(tick, _TEMPO, -1, (tempo,))
            continue
        if first & 0x80:
            status, at = first, at + 1
        length = _LENGTHS.get(status & 0xF0, 0)
        if not length:
            raise ValueError(f"an event must have a status of MIDI 1.0. Got {first:#04x}")
        data = body[at : at + length]
        if len(data) < length:
            _cut()
        if max(data) > 127:
            raise ValueError(f"data must be 0 to 127. Got {max(data)}")
        at += length
        if status & 0xF0 in (0x80, 0x90, 0xB0, 0xE0):
            yield Event(tick, status & 0xF0, status & 0x0F, tuple(data))


def _number(body: bytes, at: int) -> tuple[int, int]:
    """Read a number of variable length, at most four bytes; return it and where it ends."""
    value = 0
    for each in body[at : at + 4]:
        value, at = value << 7 | each & 0x7F, at + 1
        if not each & 0x80:
            return value, at
    return _cut(), at


def _cut() -> int:
    raise ValueError("an event must be whole. Got the end of its track")
