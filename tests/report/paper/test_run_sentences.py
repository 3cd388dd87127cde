"""What results share is said once; a part is named by what tells it from the rest."""

from __future__ import annotations

from dataclasses import replace

from marble_eval.report.paper.statement import named, sentences
from marble_eval.results import Result
from tests.report.result_files import example

BOARD = [example(encoder, task) for encoder in ("mel", "MERT") for task in ("GTZAN", "EMO")]


def test_what_all_share_is_one_sentence_with_a_capital() -> None:
    assert sentences(BOARD, lambda each: "features were stored") == ["Features were stored."]


def test_nothing_to_say_is_no_sentence() -> None:
    assert sentences(BOARD, lambda each: "") == []
    said = sentences(BOARD, lambda each: "it failed" if each.task.name == "EMO" else "")
    assert said == ["For EMO, it failed."]


def test_parts_are_named_by_task_or_encoder_or_both() -> None:
    by_task = sentences(BOARD, lambda each: f"x {each.task.name}")
    by_encoder = sentences(BOARD, lambda each: f"x {each.encoder.name}")
    assert by_task == ["For GTZAN, x GTZAN.", "For EMO, x EMO."]
    assert by_encoder == ["For mel, x mel.", "For MERT, x MERT."]
    assert named([BOARD[0]], BOARD) == "GTZAN (mel)"
    assert named([BOARD[0], BOARD[3]], BOARD) == "EMO (MERT) and GTZAN (mel)"


def under(result: Result, protocol: str) -> Result:
    return replace(result, protocol=replace(result.protocol, name=protocol))


def test_equal_names_are_told_apart_by_protocol_and_by_revision() -> None:
    pair = [BOARD[0], under(BOARD[0], "quick")]
    assert named(pair[1:], pair) == "quick"
    newer = replace(BOARD[0], encoder=replace(BOARD[0].encoder, revision="v2"))
    assert named([newer], [BOARD[0], newer]) == "mel (revision v2)"


def test_copies_are_named_though_nothing_tells_them_apart() -> None:
    copies = [BOARD[0], replace(BOARD[0])]
    assert named(copies[:1], copies).startswith("GTZAN (mel")
