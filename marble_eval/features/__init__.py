"""The feature cache: every clip once through the encoder, all layers kept.

`store` is the append-only file, `extraction` what fills it. A store belongs to
one feature fingerprint (encoder, preprocessing, pooling, number type); inside, a
clip is found by the digest of its track's audio file, so tasks on the same audio
share it and names never matter.
"""
