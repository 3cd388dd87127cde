"""Speed, as ratios within one run; `python -m tests.benchmarks` prints them all.

Nothing here is asserted: seconds depend on the machine, and even ratios drift
beside a busy neighbour. Run them on an idle one.
"""
