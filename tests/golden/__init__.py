"""Golden runs: two trees on the same machine, equal to the last digit.

`python -m tests.golden REVISION` runs a fixed set of jobs with the tree of a git revision and
with the working tree, and compares what they wrote: fingerprints of encoders, result files,
predictions, cached features, leaderboards and a submission. A refactoring leaves all of them
equal. Digits stored from one processor do not hold on another; two trees side by side do.
"""
