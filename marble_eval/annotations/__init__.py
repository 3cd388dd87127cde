"""Annotations in time: beats, chords and notes, and the files they are published in.

In memory they are arrays of seconds; as the label of a track, and in the table of
predictions, they are one line of JSON each, so that tracks can be compared,
digested and stored like those of any other task. Times are kept as they were
annotated: nothing here rounds them to frames.
"""
