"""From outputs of probes to scores: estimates, intervals, ties, and pairs of results compared."""
