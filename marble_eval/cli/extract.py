"""`marble-eval extract`: fill the feature cache, and nothing else."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from marble_eval.cli.composed import composed
from marble_eval.cli.jobs import launch
from marble_eval.errors import SpecError

if TYPE_CHECKING:
    from marble_eval.encoders import Encoder
    from marble_eval.registry import Task
    from marble_eval.spec import Settings

HELP = """\
marble-eval extract: encode the audio of a task once, into the feature cache

usage: marble-eval extract task=NAME [encoder=NAME] [key=value ...] [--dry-run] [-m]

Takes everything that `marble-eval run` takes; probes are not trained. A run on the same
audio then encodes nothing. The work goes on where it was stopped.

  engine=local              this machine: every core, or every GPU it shows
  engine=ray                the GPUs or CPUs of a Ray cluster (pip install ray)
  engine.address=auto       the cluster this machine is part of; local starts one; or HOST:PORT

examples:
  marble-eval extract task=MTGTop50 task.root=/data/mtg encoder=mert-v1-330m
  marble-eval extract task=MTGTop50 task.root=/data/mtg encoder=mert-v1-330m \\
                      engine=ray engine.address=auto
  marble-eval extract -m task=MTT,GTZAN encoder=mert-v1-95m,encodec-24khz
"""


def main(argv: list[str]) -> int:
    """Encode for one task, or several with ``-m``; return the exit code."""
    return launch(_job, argv)


def _job(config: dict[str, Any]) -> int:
    from marble_eval.runs.suites import Suite

    work, encoders, settings, dry = composed(config, "extract")
    if isinstance(work, Suite):
        raise SpecError(
            f"marble-eval extract: takes tasks. Got suite={work.name}. Name them: "
            f"marble-eval extract -m task={','.join(work.tasks)}"
        )
    if settings.features.in_turn:
        raise SpecError(
            "marble-eval extract: features.in_turn must be false: a few layers at a time are "
            "deleted after their turn of a run. Name layers, or raise features.max_bytes."
        )
    for encoder in encoders:
        _extract(work, encoder, replace(settings, results=None), dry=dry)
    return 0


def _extract(task: Task, encoder: Encoder, settings: Settings, *, dry: bool) -> None:
    from marble_eval.cli.progress import shown
    from marble_eval.runs.admission import admit
    from marble_eval.runs.budget import check_budget, in_words
    from marble_eval.runs.encoding import encode_tracks
    from marble_eval.runs.forecast import announcements, outlook
    from marble_eval.runs.preserved_state import preserved_state
    from marble_eval.runs.run_plan import plan_run

    progress = shown()
    with preserved_state(encoder):
        prepared = plan_run(task, encoder, settings, progress)
        if dry:
            sys.stdout.write("\n".join(outlook(prepared)) + "\n")
            return
        check_budget(prepared)
        admit(prepared, progress)
        for sentence in announcements(prepared):
            progress.say(sentence)
        encoded = encode_tracks(prepared, progress)
    store, tracks = encoded.prepared.plan.store, len(encoded.prepared.survey.usable)
    sys.stdout.write(
        f"{task.spec.name}   {encoder.name}   {tracks} tracks, {encoded.clips_encoded} clips "
        f"encoded in {encoded.seconds:.1f} s\n"
        f"features  {store.folder}  {in_words(store.data_bytes())}\n"
    )
