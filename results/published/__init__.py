"""Scores that papers report, each with its source; data only."""
