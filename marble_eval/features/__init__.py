"""The feature cache: every clip once through the encoder, all layers kept.

`store` is the append-only file, with its `index`; `survey` says what is in it, and
`extraction` fills it, one `batch` after the other. A store belongs to one feature
fingerprint (encoder, preprocessing, pooling, number type); inside, a clip is found
by the digest of its track's audio file, so tasks on the same audio share it and
names never matter.
"""
