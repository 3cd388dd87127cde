"""The feature cache: every clip once through the encoder, all layers kept.

`plan` says which features a run needs, `audio_check` which of them are cached, and
`extraction` fills a store of `stores` by the workers of `workers`. A store belongs to one
feature fingerprint (encoder, preprocessing, pooling, number type); inside, a clip is found
by the digest of its track's audio file, so tasks on the same audio share it and names
never matter.
"""
