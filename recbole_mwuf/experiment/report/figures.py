"""MethodScores plots of AUC over phases, with bands of one standard deviation."""

from __future__ import annotations

import textwrap
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recbole_mwuf.data import PHASES
from recbole_mwuf.experiment.report.scores import MethodScores
from recbole_mwuf.files import atomic_write

# told apart by dash and marker when printed grey, and by luminance; colours are Okabe and Ito's
_STYLES: list[dict[str, Any]] = [
    {"color": "#000000", "linestyle": ":", "marker": "s"},
    {"color": "#0072B2", "linestyle": "--", "marker": "^"},
    {"color": "#D55E00", "linestyle": "-", "marker": "o"},
    {"color": "#009E73", "linestyle": "-.", "marker": "D"},
    {"color": "#CC79A7", "linestyle": (0, (6, 1, 1, 1, 1, 1)), "marker": "v"},
    {"color": "#56B4E9", "linestyle": (0, (8, 3)), "marker": "P"},
]
_SETTINGS: dict[Any, Any] = {
    "font.size": 9,
    "svg.hashsalt": "recbole-mwuf",  # same figures, same bytes
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_COLUMNS = 3
_LETTERS_PER_INCH = 12  # of a title


def draw(rows: list[MethodScores], title: str, file: Path) -> None:
    """Write a figure as SVG; arguments as in :func:`plot`."""
    with mpl.rc_context(_SETTINGS), atomic_write(file) as part:
        plot(rows, title).savefig(part, format="svg", metadata={"Date": None})


def plot(rows: list[MethodScores], title: str) -> Figure:
    """A panel for every base, a line for every method.

    Args:
        rows: The lines; a method has the same style in every panel.
        title: Stands above it.
    """
    panels = list(dict.fromkeys(line.panel for line in rows))
    n_columns = min(_COLUMNS, len(panels))
    n_rows = -(-len(panels) // n_columns)
    size = (3.1 * n_columns + 0.4, 2.5 * n_rows + 0.9) if len(panels) > 1 else (7.5, 4.5)
    styles = dict(zip(dict.fromkeys(map(_name, rows)), cycle(_STYLES)))
    with mpl.rc_context(_SETTINGS):
        figure = Figure(size, layout="constrained")
        axes = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True).flatten()
        for panel, axis in zip(panels, axes):
            _draw_panel(axis, [line for line in rows if line.panel == panel], panel, styles)
        for axis in axes[len(panels) :]:
            axis.set_axis_off()
        for axis in axes[::n_columns]:
            axis.set_ylabel("AUC")
        drawn = {line.get_label(): line for axis in axes for line in axis.get_lines()}
        named = {str(name): drawn[name] for name in styles}
        figure.legend(
            named.values(), named.keys(), loc="outside lower center", ncols=3, handlelength=4
        )
        figure.suptitle(textwrap.fill(title, int(_LETTERS_PER_INCH * size[0])))
    return figure


def _name(line: MethodScores) -> str:
    """A line's label; without its base if the panel says it."""
    if not line.panel:
        return line.label
    if line.is_plain:
        return "base"
    return line.model if line.label == f"{line.model}({line.base})" else line.label


def _draw_panel(axis: Axes, rows: list[MethodScores], title: str, styles: dict[str, dict]) -> None:
    for line in rows:
        x, values = range(len(PHASES)), line.auc.values()
        mean = [float(v.mean()) for v in values]  # NaN, a gap, where there is no run
        std = [float(v.std(ddof=1)) if len(v) > 1 else 0.0 for v in values]
        name = _name(line)
        style = styles[name]
        axis.plot(x, mean, label=name, linewidth=1.6, markersize=4.5, **style)
        low, high = ([m + sign * s for m, s in zip(mean, std)] for sign in (-1, 1))
        axis.fill_between(x, low, high, color=style["color"], alpha=0.1, linewidth=0)
    axis.set_title(title, fontsize=9)
    axis.set_xticks(range(len(PHASES)), [phase.replace("_", "-") for phase in PHASES])
    axis.grid(axis="y", linewidth=0.4, alpha=0.6)
    axis.margins(x=0.06)
