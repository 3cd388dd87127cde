"""The feature cache: every clip once through the encoder, all layers kept.

`store` is the append-only file, with its `index`; `survey` says what is in it, and
`extraction` fills it. Who encodes is settled by `engines`: a `worker` of this process, or
a `crew` of them in `processes` or on a `ray_cluster`, each at its `outpost`; what goes to
and fro is in `assignment`. A store belongs to one feature
fingerprint (encoder, preprocessing, pooling, number type); inside, a clip is found
by the digest of its track's audio file, so tasks on the same audio share it and
names never matter.
"""
