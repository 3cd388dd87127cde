"""Figures show what the records say: the data of what is drawn is compared with them."""

from __future__ import annotations

import struct
import subprocess
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from marble_eval.registry import load_probe, probe_record
from marble_eval.report.figures import style, write_figures
from marble_eval.report.figures.curves import checkpoint_curve, cost_scatter, layer_curves
from marble_eval.report.figures.label_scores import label_scores
from marble_eval.report.figures.maps import confusion_map, grid_map, heat_map
from marble_eval.report.figures.series import comparable, labels
from marble_eval.report.figures.writing import file_names
from marble_eval.results import GridPoint, LabelScore, Result
from marble_eval.results.caveats import OtherDeviation
from tests.report.result_files import embedded, example, write


def scored(result: Result, value: float, **changes: Any) -> Result:
    metric, score = next(iter(result.metrics.items()))
    new = replace(score, value=value, low=value - 0.1, high=value + 0.05, **changes)
    return replace(result, metrics={metric: new})


def drawn(figure: Figure | None) -> Figure:
    """Draw a figure that must be there; whatever warns of its layout fails."""
    assert figure is not None
    with warnings.catch_warnings(), style.context():
        warnings.simplefilter("error")
        figure.draw_without_rendering()
    return figure


def texts(figure: Figure) -> list[str]:
    return [each.get_text() for each in figure.findobj(mpl.text.Text) if each.get_text()]


def image(figure: Figure) -> np.ma.MaskedArray[Any, Any]:
    """Return the array of the first map."""
    array = figure.axes[0].images[0].get_array()
    assert isinstance(array, np.ma.MaskedArray)
    return array


def bars(figure: Figure, name: str) -> list[Any]:
    containers: list[Any] = figure.axes[0].containers
    return [each for each in containers if each.get_label() == name]


def one_layer(result: Result) -> Result:
    kept = result.layers[:1]
    return replace(
        result,
        encoder=replace(result.encoder, layers=("0",)),
        layers=kept,
        grid=tuple(each for each in result.grid if each.layer == "0"),
        chosen=replace(result.chosen, layer="0"),
    )


def test_a_layer_curve_has_the_test_scores_and_intervals_of_the_record() -> None:
    result = example("MERT")
    figure = drawn(layer_curves([result, one_layer(example("mel"))]))
    curve, summed = bars(figure, "curve MERT")
    single = result.layers[:3]
    assert curve.lines[0].get_ydata() == pytest.approx([100 * each.test.value for each in single])
    assert curve.lines[0].get_xdata() == pytest.approx([0.0, 1.0, 2.0])
    arms = [segment[:, 1].tolist() for segment in curve.lines[2][0].get_segments()]
    assert arms == [pytest.approx([100 * each.test.low, 100 * each.test.high]) for each in single]
    assert summed.lines[0].get_ydata() == pytest.approx([75.0])
    assert summed.lines[0].get_xdata()[0] > 2.0
    (ring,) = (each for each in figure.axes[0].lines if each.get_label() == "chosen")
    assert ring.get_xdata() == pytest.approx([1.0])
    assert ring.get_ydata() == pytest.approx([74.8276])
    (level,) = bars(figure, "curve mel")
    assert level.lines[0].get_ydata() == pytest.approx([25.0])
    said = " ".join(texts(figure))
    assert "shown, not chosen from" in said
    assert "test accuracy (%)" in said
    assert {"MERT", "mel", "sum", "GTZAN"} <= set(texts(figure))


def test_encoders_differ_in_more_than_colour() -> None:
    signs = [style.sign(number) for number in range(40)]
    assert len({(each.marker, str(each.linestyle)) for each in signs}) == 40
    assert len(set(signs)) == 40


def test_a_heat_map_places_scores_within_their_column() -> None:
    board = [
        scored(example("a", "GTZAN"), 0.7), scored(example("b", "GTZAN"), 0.8),
        scored(example("c", "GTZAN"), 0.9), scored(example("a", "EMO"), 0.2),
        scored(example("c", "EMO"), 0.1),
    ]  # fmt: skip
    figure = drawn(heat_map(board))
    assert image(figure)[:, 1].tolist() == pytest.approx([0.0, 0.5, 1.0])
    assert image(figure)[:, 0].tolist() == [1.0, None, 0.0]
    cells = {
        (each.get_position()[1], each.get_position()[0]): each for each in figure.axes[0].texts
    }
    assert cells[0, 1].get_text() == "70.0"
    assert cells[1, 0].get_text() == "–"
    bold = {where for where, each in cells.items() if each.get_fontweight() == "bold"}
    assert bold == {(0, 0), (2, 1)}
    names = [each.get_text() for each in figure.axes[0].get_yticklabels()]
    assert names == ["a", "b", "c"]


def test_where_less_is_better_the_least_is_best() -> None:
    board = [scored(example(name), value, higher_is_better=False) for name, value in
             (("a", 0.1), ("b", 0.3))]  # fmt: skip
    assert image(drawn(heat_map(board)))[:, 0].tolist() == [1.0, 0.0]


def test_numbers_can_be_read_on_every_shade() -> None:
    figure = Figure()
    shades = figure.add_subplot().imshow([[0.0, 1.0]], cmap=style.MAP)
    for share in np.linspace(0, 1, 21):
        back, front = shades.cmap(share)[:3], style.text_colour(shades, float(share))
        light = _luminance(back)
        contrast = (light + 0.05) / 0.05 if front == "black" else 1.05 / (light + 0.05)
        assert contrast >= 4.5  # WCAG 2.1, 1.4.3


def _luminance(colour: Sequence[float]) -> float:
    linear = [
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in colour
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_grid_map_has_the_validation_scores_of_the_seeds_all_share() -> None:
    points = [
        GridPoint(layer, rate, 1, 9, 4, valid)
        for (layer, rate), valid in {
            ("0", 0.1): 0.1, ("0", 0.01): 0.2, ("1", 0.1): 0.3, ("1", 0.01): 0.4,
        }.items()
    ]  # fmt: skip
    points.append(GridPoint("1", 0.01, 2, 9, 4, 0.9))
    result = example("MERT")
    result = replace(
        result, grid=tuple(points), layers=result.layers[:3],
        chosen=replace(result.chosen, layer="1", setting=0.01),
    )  # fmt: skip
    figure = drawn(grid_map(result))
    assert image(figure).tolist() == [
        [pytest.approx(20.0), pytest.approx(40.0), None],
        [pytest.approx(10.0), pytest.approx(30.0), None],
    ]
    assert [each.get_text() for each in figure.axes[0].get_yticklabels()] == ["0.01", "0.1"]
    rings = [each for each in figure.axes[0].lines if each.get_label() == "chosen"]
    assert {(each.get_xdata()[0], each.get_ydata()[0]) for each in rings} == {(1, 0)}  # type: ignore[index]


def test_a_confusion_map_has_shares_of_each_reference() -> None:
    result = replace(example(), confusion=((1, 3), (0, 0)))
    figure = drawn(confusion_map(result))
    assert image(figure).tolist() == [[25.0, 75.0], [None, None]]
    assert [each.get_text() for each in figure.axes[0].texts] == ["25", "75"]
    assert confusion_map(replace(result, confusion=())) is None


def test_label_scores_are_those_of_the_record_and_at_most_fifty() -> None:
    figure = drawn(label_scores(example()))
    (line,) = (each for each in figure.axes[0].lines if each.get_label() == "labels f1")
    assert line.get_xdata() == pytest.approx([66.67, 80])
    names = [each.get_text() for each in figure.axes[0].get_yticklabels()]
    assert names == ["blues (2)", "rock (2)"]
    many = tuple(
        LabelScore(f"tag {at}", at, {"f1": None if at < 3 else at / 100}) for at in range(60)
    )
    figure = drawn(label_scores(replace(example(), labels=many, confusion=())))
    (line,) = (each for each in figure.axes[0].lines if each.get_label() == "labels f1")
    assert line.get_xdata() == pytest.approx([*range(10, 60)])
    said = " ".join(texts(figure))
    assert "50 of 60 labels: those with most test tracks" in said
    assert "3 of 60 labels have no score" in said


def test_cost_is_extraction_time_a_clip_and_caches_have_none() -> None:
    slow = example("slow")
    cached = replace(slow, encoder=replace(slow.encoder, name="cached"),
                     cost=replace(slow.cost, clips_encoded=0))  # fmt: skip
    fast = replace(example("fast"), cost=replace(slow.cost, extract_seconds=1.2))
    figure = drawn(cost_scatter([cached, fast, slow]))
    containers: list[Any] = drawn(figure).axes[0].containers
    points = {
        each.get_label(): (each.lines[0].get_xdata()[0], each.lines[0].get_ydata()[0])
        for each in containers
    }
    assert points == {
        "cost fast": (pytest.approx(2.0), pytest.approx(74.8276)),
        "cost slow": (pytest.approx(1000 * 12.5 / 600), pytest.approx(74.8276)),
    }
    assert "features from the cache: cached" in " ".join(texts(figure))
    assert cost_scatter([cached, fast]) is None


def at_step(step: int, value: float) -> Result:
    result = scored(example("mine"), value)
    return replace(result, encoder=replace(result.encoder, step=step, revision=f"step-{step}"))


def test_a_checkpoint_curve_goes_by_steps_not_by_names() -> None:
    figure = drawn(checkpoint_curve([at_step(900, 0.3), at_step(10_000, 0.5), example("other")]))
    (curve,) = figure.axes[0].containers
    line = curve[0]
    assert line.get_xdata() == pytest.approx([900, 10_000])
    assert line.get_ydata() == pytest.approx([30.0, 50.0])
    assert checkpoint_curve([at_step(900, 0.3), example("other")]) is None


def test_embedded_and_real_data_other_protocols_and_probes_never_share_axes() -> None:
    real = example("a")
    quick = replace(real, protocol=replace(real.protocol, name="quick"))
    linear = replace(real, probe=probe_record(load_probe("linear")))
    newer = replace(real, task=replace(real.task, version=2))
    other_data = replace(real, task=replace(real.task, data_digest="9" * 32))
    other = OtherDeviation("batch 128")
    strayed = replace(
        real,
        protocol=replace(real.protocol, conforms=False, deviations=(other,)),
    )
    groups = comparable(
        [real, example("b"), embedded(real), quick, linear, newer, other_data, strayed]
    )
    assert sorted(len(each) for each in groups) == [1, 1, 1, 1, 1, 1, 2]


def test_series_of_one_name_are_told_apart() -> None:
    one = example("mel")
    two = replace(one, encoder=replace(one.encoder, revision="v2"))
    sixteen = replace(one, encoder=replace(one.encoder, precision="float16"))
    assert labels([one, two]) == ["mel, v1", "mel, v2"]
    assert labels([one, sixteen, example("x")]) == ["mel, float32", "mel, float16", "x"]
    assert labels([one, one]) == ["mel (1)", "mel (2)"]


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ([("a", "G/1", "x y")], ["a.G-1.x-y"]),
        ([("a", "..", "é")], ["a.none.none"]),
    ],
)
def test_names_of_files_are_safe(keys: list[tuple[str, ...]], names: list[str]) -> None:
    assert file_names(keys) == names


def test_names_that_would_be_one_file_stay_two() -> None:
    names = file_names([("a", "G", "m/x"), ("a", "G", "m x"), ("a", "g", "M-X"), ("a", "G", "y")])
    assert len({each.casefold() for each in names}) == 4
    assert names[3] == "a.G.y"
    assert all(each.lower().startswith("a.g.m-x.") for each in names[:3])
    twins = file_names([("a", "G", "x", "1"), ("a", "G", "x", "1")])
    assert twins[1] == f"{twins[0]}.2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the figures of three results, one of them embedded, two with one safe name."""
    root = tmp_path_factory.mktemp("figures")
    board = [example("a/b"), example("a b"), embedded(one_layer(example("c", "Toy")))]
    write_figures(write(root / "results", *board), root / "figures")
    return root


def test_every_figure_is_a_png_and_an_svg(folder: Path) -> None:
    names = sorted(path.name for path in (folder / "figures").iterdir())
    stems = [Path(name).stem for name in names]
    assert stems[::2] == stems[1::2]
    assert {Path(name).suffix for name in names} == {".png", ".svg"}
    kinds = [stem.partition(".")[0] for stem in stems[::2]]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "layers": 1, "cost": 1, "heat": 1, "grid": 2, "confusion": 3, "labels": 3,
    }  # fmt: skip
    for path in (folder / "figures").glob("*.png"):
        content = path.read_bytes()
        assert content[:8] == b"\x89PNG\r\n\x1a\n"
        assert content[content.index(b"pHYs") + 4 :][:4] == struct.pack(">I", 11811)  # 300 dpi
    for path in (folder / "figures").glob("*.svg"):
        root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        assert [each for each in root.iter() if each.tag.endswith("}text")], "text became paths"


def test_embedded_and_real_figures_have_their_own_files(folder: Path) -> None:
    texts_of = {
        path.stem: path.read_text(encoding="utf-8") for path in (folder / "figures").glob("*.svg")
    }
    told = {stem for stem, text in texts_of.items() if "embedded data" in text}
    assert told == {stem for stem in texts_of if ".Toy." in stem}
    assert told


def test_the_same_results_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    paths = sorted((folder / "results").rglob("result.json"))
    with mpl.rc_context({"font.size": 20, "svg.fonttype": "path", "image.cmap": "jet"}):
        before = dict(mpl.rcParams)
        written = write_figures([*reversed(paths), paths[0]], tmp_path / "again")
        assert dict(mpl.rcParams) == before
    assert written == sorted((tmp_path / "again").iterdir())
    for path in written:
        assert path.read_bytes() == (folder / "figures" / path.name).read_bytes(), path.name


def test_type_is_seven_points_at_least(folder: Path) -> None:
    for path in (folder / "figures").glob("*.svg"):
        for part in path.read_text(encoding="utf-8").split("font: ")[1:]:
            words = part.split("px")[0].split()
            assert float(words[-1]) >= 7, (path.name, words)


def test_many_encoders_are_divided_and_checkpoints_of_one_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sys.modules["marble_eval.report.figures.writing"], "rendered", lambda _: {"svg": b""}
    )
    board = [*(example(f"encoder {at}") for at in range(5)), *(at_step(s, 0.5) for s in (1, 2, 3))]
    names = [path.stem for path in write_figures(write(tmp_path, *board), tmp_path / "figures")]
    assert [each for each in names if each.startswith(("layers", "steps"))] == [
        "layers.GTZAN.marble-v1-part1", "layers.GTZAN.marble-v1-part2", "steps.GTZAN.marble-v1",
    ]  # fmt: skip


def test_odd_names_are_drawn_as_they_are() -> None:
    odd = [example("_under $score_"), example("$x$\u0007 & <b>"), example("long " * 20)]
    figure = drawn(layer_curves(odd))
    assert [each.get_text() for each in figure.legends[0].get_texts()] == [
        " _under $score_", "$x$  & <b>", "\n".join([" ".join(["long"] * 9)] * 2 + ["long long"]),
    ]  # fmt: skip
    svg = style.rendered(figure)["svg"].decode("utf-8")
    assert "_under $score_" in svg
    root = ElementTree.fromstring(svg)  # a sign that XML has not would be an error
    ids = [each.get("id") for each in root.iter() if each.get("id")]
    assert len(set(ids)) == len(ids)


def test_no_state_of_pyplot_is_touched(tmp_path: Path) -> None:
    (path,) = write(tmp_path / "results", one_layer(example("a")))
    code = (
        "import sys; from pathlib import Path\n"
        "from marble_eval.report.figures import write_figures\n"
        f"write_figures([Path({str(path)!r})], Path({str(tmp_path / 'figures')!r}))\n"
        "sys.exit('matplotlib.pyplot' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    assert len(list((tmp_path / "figures").iterdir())) == 4
