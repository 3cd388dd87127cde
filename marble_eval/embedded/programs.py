"""General MIDI programs, shared out among the splits.

Programs count from 0 and are those of TimGM6mb.sf2. A program belongs to one split
in all tables here, and no recording of the soundfont is heard in two splits: programs
that share recordings, such as violin, viola and fiddle, stay together. The drum kits
have most recordings in common, so single drums are shared out, not kits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Programs = dict[str, dict[str, int]]  # split -> name -> number

# The formatter would make long lists of the tables.
# fmt: off
#: Of the task EmbeddedInstrument, where a pitch beside the one asked for does no harm.
FAMILIES: dict[str, Programs] = {
    "bass": {
        "train": {"finger bass": 33, "fretless bass": 35, "slap bass 1": 36, "synth bass 1": 38,
                  "synth bass 2": 39},
        "valid": {"pick bass": 34},
        "test": {"acoustic bass": 32, "slap bass 2": 37},
    },
    "brass": {
        "train": {"trumpet": 56, "tuba": 58, "muted trumpet": 59, "synth brass 1": 62,
                  "synth brass 2": 63},
        "valid": {"trombone": 57},
        "test": {"french horn": 60, "brass section": 61},
    },
    "guitar": {
        "train": {"nylon guitar": 24, "clean guitar": 27, "muted guitar": 28,
                  "overdriven guitar": 29, "distortion guitar": 30},
        "valid": {"steel guitar": 25},
        "test": {"jazz guitar": 26, "guitar harmonics": 31},
    },
    "organ": {
        "train": {"percussive organ": 17, "rock organ": 18, "reed organ": 20, "accordion": 21,
                  "harmonica": 22, "tango accordion": 23},
        "valid": {"church organ": 19},
        "test": {"drawbar organ": 16},
    },
    "pipe": {
        "train": {"flute": 73, "pan flute": 75, "blown bottle": 76, "shakuhachi": 77,
                  "whistle": 78},
        "valid": {"recorder": 74},
        "test": {"piccolo": 72, "ocarina": 79},
    },
    "reed": {
        "train": {"soprano sax": 64, "tenor sax": 66, "oboe": 68, "bassoon": 70, "shanai": 111},
        "valid": {"baritone sax": 67, "english horn": 69},
        "test": {"alto sax": 65, "clarinet": 71},
    },
    "strings": {
        "train": {"violin": 40, "viola": 41, "cello": 42, "synth strings 1": 50,
                  "synth strings 2": 51, "fiddle": 110},
        "valid": {"contrabass": 43},
        "test": {"tremolo strings": 44, "string ensemble 1": 48, "string ensemble 2": 49},
    },
    "tuned percussion": {
        "train": {"celesta": 8, "glockenspiel": 9, "music box": 10, "marimba": 12,
                  "tubular bells": 14, "kalimba": 108},
        "valid": {"tinkle bell": 112},
        "test": {"vibraphone": 11, "steel drums": 114},
    },
}

#: What a part of an arrangement is played on.
ROLES: dict[str, Programs] = {
    "chords": {
        "train": {"piano": 0, "honky-tonk piano": 3, "rock organ": 18, "accordion": 21,
                  "nylon guitar": 24, "clean guitar": 27, "synth strings 1": 50, "choir": 52},
        "valid": {"electric piano 2": 5, "steel guitar": 25, "church organ": 19},
        "test": {"electric piano 1": 4, "harpsichord": 6, "drawbar organ": 16,
                 "jazz guitar": 26, "string ensemble 1": 48, "vibraphone": 11},
    },
    "bass": {
        "train": {"finger bass": 33, "fretless bass": 35, "slap bass 1": 36, "synth bass 1": 38,
                  "tuba": 58, "bassoon": 70},
        "valid": {"pick bass": 34, "contrabass": 43},
        "test": {"acoustic bass": 32, "slap bass 2": 37, "tremolo strings": 44},
    },
    "lead": {
        "train": {"trumpet": 56, "violin": 40, "flute": 73, "oboe": 68, "tenor sax": 66,
                  "harmonica": 22, "marimba": 12, "overdriven guitar": 29},
        "valid": {"trombone": 57, "recorder": 74, "english horn": 69},
        "test": {"french horn": 60, "clarinet": 71, "piccolo": 72, "ocarina": 79,
                 "banjo": 105, "steel drums": 114},
    },
}
#: Programs that sound the pitch they are asked for from E2 to E flat 6.
PITCHED: Programs = {
    "train": {
        "piano": 0, "electric grand": 2, "clavinet": 7, "music box": 10, "marimba": 12,
        "reed organ": 20, "harmonica": 22, "nylon guitar": 24, "clean guitar": 27,
        "muted guitar": 28, "overdriven guitar": 29, "finger bass": 33, "slap bass 1": 36,
        "synth bass 1": 38, "violin": 40, "cello": 42, "synth strings 1": 50, "choir": 52,
        "trumpet": 56, "tuba": 58, "muted trumpet": 59, "tenor sax": 66, "bassoon": 70,
        "flute": 73,
    },
    "valid": {
        "electric piano 2": 5, "steel guitar": 25, "pick bass": 34, "contrabass": 43, "harp": 46,
        "trombone": 57, "english horn": 69, "recorder": 74,
    },
    "test": {
        "electric piano 1": 4, "harpsichord": 6, "vibraphone": 11, "jazz guitar": 26,
        "acoustic bass": 32, "slap bass 2": 37, "tremolo strings": 44, "pizzicato": 45,
        "string ensemble 1": 48, "french horn": 60, "brass section": 61, "clarinet": 71,
        "piccolo": 72, "ocarina": 79, "banjo": 105, "koto": 107,
    },
}
#: What the three roles of drums are played on: keys of the standard kit.
DRUMS: dict[str, Programs] = {
    "low": {
        "train": {"bass drum": 36, "low conga": 64},
        "valid": {"low floor tom": 41},
        "test": {"low bongo": 61, "low timbale": 66},
    },
    "mid": {
        "train": {"snare": 38, "hand clap": 39, "mute conga": 62},
        "valid": {"side stick": 37},
        "test": {"electric snare": 40, "claves": 75, "open conga": 63},
    },
    "high": {
        "train": {"closed hi-hat": 42, "maracas": 70, "tambourine": 54},
        "valid": {"ride cymbal": 51},
        "test": {"cabasa": 69, "mute triangle": 80, "pedal hi-hat": 44},
    },
}
# fmt: on


def drawn(
    tables: Mapping[str, Programs], split: str | None, rng: np.random.Generator
) -> dict[str, int]:
    """Draw one program from each table."""
    chosen = {}
    for name, table in tables.items():
        splits = table if split is None else (split,)
        chosen[name] = int(rng.choice([each for of in splits for each in table[of].values()]))
    return chosen
