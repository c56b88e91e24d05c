"""Figures are legible: nothing is cut, lines differ without colour, gaps stay gaps."""

import itertools
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from recbole_mwuf.data import PHASES
from recbole_mwuf.experiment.report.figures import draw, plot
from recbole_mwuf.experiment.report.scores import MethodScores


def lines(panels, n_lines, missing=()):
    models = ["base", "generated (MetaEmb)", "mean (MWUF(init))", "MWUF", "MetaEmb", "MeLU"]
    return [
        MethodScores(
            *(panel, f"{model}({panel})", panel if i == 0 else model, panel),
            {
                phase: pd.Series([] if i in missing else [0.6 + 0.01 * i, 0.61, 0.63], dtype=float)
                for phase in PHASES
            },
        )
        for panel in panels
        for i, model in enumerate(models[:n_lines])
    ]


@pytest.mark.parametrize(
    "rows",
    [
        lines(["WideDeep", "PNN", "DCN", "AFN", "GRU4Rec", "DIN"], 3),
        lines([""], 6),
        lines(["warm_up_learning_rate=0.004", "interacted_users=positive"], 2),
    ],
    ids=["six panels", "one panel", "long titles"],
)
def test_no_text_is_cut_or_overlaps_another(rows):
    title = "Figure 4: how the ID embeddings of new items start, on Wide & Deep, next_phase"
    figure = plot(rows, f"{title} (generated data)")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    beyond = {
        label
        for axis in figure.axes
        for label, at in zip(axis.get_yticklabels(), axis.get_yticks())
        if not axis.get_ylim()[0] <= at <= axis.get_ylim()[1]  # laid out, but not drawn
    }
    texts = [t for t in figure.findobj(Text) if t.get_text() and t.get_visible()]
    texts = [text for text in texts if text not in beyond]
    boxes = {text: text.get_window_extent(canvas.get_renderer()) for text in texts}
    boxes = {text: box for text, box in boxes.items() if box.width > 0}
    assert {"AUC", "cold", "warm-a", "warm-b", "warm-c"} <= {t.get_text() for t in boxes}
    width, height = figure.bbox.max
    for text, box in boxes.items():
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, text
    for first, second in itertools.combinations(boxes, 2):
        assert not boxes[first].overlaps(boxes[second]), (first, second)


def test_lines_differ_without_colour():
    (axis,) = plot(lines([""], 6), "t").axes
    styles = [(line._dash_pattern, line.get_marker()) for line in axis.lines]
    assert len({str(dash) for dash, _ in styles}) == len({marker for _, marker in styles}) == 6


def test_a_method_has_one_style_and_one_entry_in_the_legend():
    """Also if the first panel has fewer lines than another one, in another order."""
    rows = [*lines(["a"], 2), *lines(["b"], 6)[::-1]]
    figure = plot(rows, "t")
    found = {(x.get_label(), x.get_marker()) for axis in figure.axes for x in axis.lines}
    assert len(found) == len(dict(found)) == 6
    (legend,) = figure.legends
    assert sorted(text.get_text() for text in legend.get_texts()) == sorted(dict(found))


def test_a_method_without_runs_is_a_gap_and_not_zero():
    (axis,) = plot(lines([""], 3, missing=(1,)), "t").axes
    _, missing, there = axis.lines
    assert np.isnan(missing.get_ydata()).all()
    assert there.get_ydata() == pytest.approx([0.62] * 4)
    assert axis.get_ylim()[0] > 0.5


def test_bands_are_one_standard_deviation():
    rows = lines([""], 1)
    (axis,) = plot(rows, "t").axes
    values = rows[0].auc["cold"]
    band = axis.collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == pytest.approx(values.mean() - values.std())
    assert band.max() == pytest.approx(values.mean() + values.std())


def test_same_figures_same_bytes():
    for name in ("a", "b"):
        draw(lines(["DIN", "PNN"], 3), "t", Path(f"{name}.svg"))
    assert Path("a.svg").read_bytes() == Path("b.svg").read_bytes()
    assert ElementTree.parse("a.svg").getroot().tag.endswith("svg")
