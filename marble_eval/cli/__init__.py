"""The command line: which verb, which exit code.

Only what a verb needs is imported when it runs; help costs no more than Python's
own start. Results go to stdout, everything else to stderr. Exit codes: 0 ok,
1 failed, 2 usage, 3 data or weights missing, 4 validation failed, 130 Ctrl-C.
"""

from __future__ import annotations

import errno
import sys

HELP = """\
marble-eval: layer-wise evaluation of frozen music encoders (MARBLE, arXiv 2306.10548)

usage: marble-eval VERB ...        marble-eval VERB --help

  run          evaluate an encoder on a task or a suite: layer sweep, score with interval, result
  extract      encode the audio of a task once, on this machine or on a Ray cluster
  demo         the whole job on embedded music, offline, on a CPU
  tasks        the tasks, with kind, metric, size, licence, and what is missing here
  data         list, find, download or verify the data of a task
  init         write a task folder or an encoder of your own, ready to run
  encoders     the encoders, with licence and how to get the weights; check one
  convert-fairseq  make a folder for encoder.path of a self-trained MERT or HuBERT
  cache        list, verify or prune cached features
  score        compute metrics again from stored predictions, without a model
  compare      do two results differ, by how much, on which items, and in what?
  leaderboard  collect results into tables (CSV, Markdown, LaTeX, JSON), published rows beside
  report       one page of all results to open, figures, and what a paper needs
  submit       build a folder of results for others, or check one
  doctor       check this machine: packages, device, decoders, folders

examples:
  marble-eval demo
  marble-eval run task=GTZAN task.root=/data/gtzan encoder=mert-v1-95m
  marble-eval run suite=marble-v1 suite.root=/data encoder=mert-v1-95m
  marble-eval data verify task=MTT task.root=/data/mtt
  marble-eval init task my-dataset && marble-eval run task=./my-dataset encoder=mel
  marble-eval leaderboard --csv leaderboard.csv
  marble-eval compare results/MERT-v1-95M results/mel --task GTZAN

Files are kept below MARBLE_EVAL_HOME (default: marble_eval below XDG_CACHE_HOME or ~/.cache).
exit codes: 0 ok, 1 failed, 2 usage, 3 data or weights missing, 4 validation failed, 130 Ctrl-C
"""

VERBS = (
    "run",
    "extract",
    "demo",
    "tasks",
    "data",
    "init",
    "encoders",
    "cache",
    *("score", "compare", "leaderboard", "report", "submit"),
    *("convert-fairseq", "doctor"),
)

# A full disk, a folder that may not be written: the machine's word, no fault of ours.
_OF_THE_MACHINE = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO),
)


def main(argv: list[str] | None = None) -> int:
    """Run a verb."""
    from marble_eval.cli.terminal import shield, shielded

    if argv is None:
        shield()  # the program itself: for good, so that a traceback passes too
        return _run(sys.argv[1:])
    with shielded():
        return _run(list(argv))


def _run(arguments: list[str]) -> int:
    if not arguments:
        sys.stderr.write(HELP)
        return 2
    verb, rest = arguments[0], arguments[1:]
    if verb in ("-h", "--help", "help"):
        sys.stdout.write(HELP)
        return 0
    if verb in ("--version", "-V"):
        from marble_eval import __version__

        sys.stdout.write(f"marble-eval {__version__}\n")
        return 0
    return _guarded(verb, rest)


def _guarded(verb: str, rest: list[str]) -> int:
    """Run a verb and turn the errors a user can meet into words and exit codes."""
    from marble_eval.errors import MarbleError, SpecError, near_misses

    try:
        if verb not in VERBS:
            raise SpecError(f"no verb is called {verb!r}. {near_misses(verb, VERBS)}")
        from importlib import import_module

        module = import_module(f"marble_eval.cli.{verb.replace('-', '_')}")
        if any(each in ("-h", "--help") for each in rest):
            sys.stdout.write(module.HELP)
            return 0
        code: int = module.main(rest)
        sys.stdout.flush()
        return code
    except MarbleError as error:
        for line in (f"marble-eval: error: {error}", *getattr(error, "__notes__", ())):
            sys.stderr.write(f"{line}\n")
        return error.exit_code
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`): nothing is wrong, nothing can be said.
        sys.stderr.close()
        return 1
    except OSError as error:
        if error.errno not in _OF_THE_MACHINE:
            raise
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"marble-eval: error: {where}{error.strerror}. Mend it, then run again.\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("marble-eval: interrupted; finished work is kept\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
