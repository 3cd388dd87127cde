"""The feature cache on disk: pooled clips in one append-only file, frames in a file per clip."""
