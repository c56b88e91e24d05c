"""Line plots of AUC over phases, with bands of one standard deviation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recbole_mwuf.data import PHASES
from recbole_mwuf.files import written_whole
from recbole_mwuf.report.scores import Line

# told apart by dash and marker when printed grey, and by luminance; colours are Okabe and Ito's
_STYLES: list[dict[str, Any]] = [
    {"color": "#000000", "linestyle": ":", "marker": "s"},
    {"color": "#0072B2", "linestyle": "--", "marker": "^"},
    {"color": "#D55E00", "linestyle": "-", "marker": "o"},
    {"color": "#009E73", "linestyle": "-.", "marker": "D"},
    {"color": "#CC79A7", "linestyle": (0, (6, 1, 1, 1, 1, 1)), "marker": "v"},
]
_SETTINGS: dict[Any, Any] = {
    "font.size": 9,
    "svg.hashsalt": "recbole-mwuf",  # same figures, same bytes
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_COLUMNS = 3


def draw(rows: list[Line], title: str, file: Path) -> None:
    """Write a figure as SVG: a panel for every base, a line for every method.

    Args:
        rows: The lines; a method has the same style in every panel.
        title: Stands above it.
        file: The file.
    """
    panels = list(dict.fromkeys(line.panel for line in rows))
    n_columns = min(_COLUMNS, len(panels))
    n_rows = -(-len(panels) // n_columns)
    with mpl.rc_context(_SETTINGS):
        size = (3.1 * n_columns + 0.4, 2.5 * n_rows + 0.9) if len(panels) > 1 else (5.6, 4.0)
        figure = Figure(size, layout="constrained")
        axes = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True).flatten()
        for panel, axis in zip(panels, axes):
            part = [line for line in rows if line.panel == panel]
            _draw_panel(axis, part, panel)
        for axis in axes[len(panels) :]:
            axis.set_axis_off()
        for axis in axes[::n_columns]:
            axis.set_ylabel("AUC")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, handlelength=4)
        figure.suptitle(title)
        with written_whole(file) as part_file:
            figure.savefig(part_file, format="svg", metadata={"Date": None})


def _draw_panel(axis: Axes, rows: list[Line], title: str) -> None:
    for line, style in zip(rows, _STYLES):
        x, values = range(len(PHASES)), line.auc.values()
        mean = [float(v.mean()) for v in values]  # NaN, a gap, where there is no run
        std = [float(v.std(ddof=1)) if len(v) > 1 else 0.0 for v in values]
        name = line.label if not title else "base" if line.is_plain else line.model
        axis.plot(x, mean, label=name, linewidth=1.6, markersize=4.5, **style)
        low, high = ([m + sign * s for m, s in zip(mean, std)] for sign in (-1, 1))
        axis.fill_between(x, low, high, color=style["color"], alpha=0.1, linewidth=0)
    axis.set_title(title, fontsize=9)
    axis.set_xticks(range(len(PHASES)), [phase.replace("_", "-") for phase in PHASES])
    axis.grid(axis="y", linewidth=0.4, alpha=0.6)
    axis.margins(x=0.06)
