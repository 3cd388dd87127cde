"""Hydra's configs: encoders, probes, protocols, engines and the defaults of a run."""
