"""Make `python -m marble_eval` the same as `marble-eval`."""

import sys

from marble_eval.cli import main

if __name__ == "__main__":
    sys.exit(main())
