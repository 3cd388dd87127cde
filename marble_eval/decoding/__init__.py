"""From the outputs for every frame of a track to its events: beats, chords, notes.

Pure functions on arrays. Frame i stands for the time i / rate, for every encoder.
"""
