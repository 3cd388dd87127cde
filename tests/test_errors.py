"""Exit codes of the errors a user can meet, and the words for a misspelt name."""

from __future__ import annotations

import pytest

from marble_eval.cli import main
from marble_eval.errors import (
    MarbleError,
    MissingError,
    SpecError,
    ValidationError,
    near_misses,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [(MarbleError, 1), (SpecError, 2), (MissingError, 3), (ValidationError, 4)],
)
def test_each_error_has_its_exit_code(error: type[MarbleError], code: int) -> None:
    assert error.exit_code == code
    assert error("why").exit_code == code
    assert str(error("why")) == "why"
    assert issubclass(error, MarbleError)


@pytest.mark.parametrize("error", [MarbleError, SpecError, MissingError, ValidationError])
def test_the_command_leaves_with_the_error_s_code(
    error: type[MarbleError],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(argv: list[str]) -> int:
        failure = error("x: must be y. Got z.")
        failure.add_note("in GTZAN with mel")
        raise failure

    monkeypatch.setattr("marble_eval.cli.tasks.main", fail)
    assert main(["tasks"]) == error.exit_code
    told = capsys.readouterr()
    assert told.err == "marble-eval: error: x: must be y. Got z.\nin GTZAN with mel\n"
    assert told.out == ""


def test_a_bad_card_is_a_value_error_too() -> None:
    with pytest.raises(ValueError):
        raise SpecError("card.yaml: 'kind' is missing. Add it.")
    assert not issubclass(MissingError, ValueError)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("gtzn", "Did you mean 'GTZAN' or 'GTZANBeat'? Known: EMO, GS, GTZAN, GTZANBeat."),
        ("GTZANBeats", "Did you mean 'GTZANBeat' or 'GTZAN'? Known: EMO, GS, GTZAN, GTZANBeat."),
        ("em", "Did you mean 'EMO'? Known: EMO, GS, GTZAN, GTZANBeat."),
        ("nsynth", "Known: EMO, GS, GTZAN, GTZANBeat."),
        ("", "Known: EMO, GS, GTZAN, GTZANBeat."),
    ],
)
def test_near_misses_come_first_and_all_names_after(name: str, sentence: str) -> None:
    assert near_misses(name, ["GTZAN", "GS", "EMO", "GTZANBeat"]) == sentence


def test_three_near_misses_are_enough() -> None:
    told = near_misses("mert-v1", [f"mert-v{number}" for number in range(9)])
    assert told.partition("?")[0].count("'") == 6


def test_nothing_known_is_said() -> None:
    assert near_misses("GTZAN", []) == "Known: none."


def test_names_may_come_from_anything_iterable() -> None:
    assert near_misses("b", (each for each in "ba")) == "Did you mean 'b'? Known: a, b."
