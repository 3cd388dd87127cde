"""Play notes on sampled instruments and hand back the audio."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np


class Renderer:
    def __init__(self, sample_rate):
        import tinysoundfont

        p = Path(importlib.util.find_spec("pretty_midi").origin).parent / "TimGM6mb.sf2"
        self.synth = tinysoundfont.Synth(samplerate=sample_rate)
        self.font = self.synth.sfload(str(p))
        self.sr = sample_rate

    def render(self, notes, program, seconds):
        s = self.synth
        s.sounds_off()
        s.program_select(0, self.font, 0, program)
        ev = sorted(
            [(round(n.onset_seconds * self.sr), 1, n.pitch, n.velocity) for n in notes]
            + [
                (round((n.onset_seconds + n.duration_seconds) * self.sr), 0, n.pitch, 0)
                for n in notes
            ]
        )
        total = round(seconds * self.sr)
        buf = memoryview(bytearray(total * 8))
        at = 0
        for t, on, p, v in ev:
            t = min(t, total)
            if t > at:
                s.generate_simple(t - at, buf[at * 8 : t * 8])
                at = t
            if on:
                s.noteon(0, p, v)
            else:
                s.noteoff(0, p)
        if at < total:
            s.generate_simple(total - at, buf[at * 8 :])
        return np.frombuffer(buf, dtype=np.float32).reshape(-1, 2).mean(1)
