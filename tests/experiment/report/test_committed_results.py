"""The reports in ``results/`` are what their ``results.csv`` gives."""

from pathlib import Path

import pytest

from recbole_mwuf.experiment.grid import Section, expand, preset
from recbole_mwuf.experiment.report.document import section_report
from recbole_mwuf.experiment.report.scores import read_scores

RESULTS = Path(__file__).parents[3] / "results"


@pytest.mark.slow
@pytest.mark.parametrize("folder", sorted(RESULTS.iterdir()), ids=lambda folder: folder.name)
def test_report_and_figures_follow_from_the_csv(folder, tmp_path):
    scores = read_scores(folder / "results.csv")
    report = (folder / "report.md").read_text(encoding="utf-8")
    names = list(dict.fromkeys(scores["section"]))
    assert set(expand(["fair", "taste", "all", "all_fresh"])) <= set(names)
    for name in names:
        content = preset(name)
        flatters = tuple(content.get("flatters", ()))
        what = (name, content["title"], content["show"], [], content["proposed"])
        section = Section(*what, flatters=flatters)
        for part in section_report(section, scores, tmp_path):
            assert part in report
    figures = sorted(file.name for file in (tmp_path / "figures").iterdir())
    assert figures == sorted(file.name for file in (folder / "figures").iterdir())
    for name in figures:
        assert (tmp_path / "figures" / name).read_bytes() == (
            folder / "figures" / name
        ).read_bytes()


@pytest.mark.parametrize("folder", sorted(RESULTS.iterdir()), ids=lambda folder: folder.name)
def test_nothing_but_the_report_is_kept(folder):
    """No result files, no bases, no data."""
    kept = {str(f.relative_to(folder)) for f in folder.rglob("*") if f.suffix not in (".svg",)}
    left_out = ("runs", "bases", "failed", "trials")
    ignored = {name for name in kept if name.split("/")[0] in left_out}
    names = set(read_scores(folder / "results.csv")["section"])
    chosen = {f"tuned-{name}.json" for name in names if "tune" in preset(name)}
    report = {"results.csv", "report.md", "report.html", "figures", "run_log.json"}
    assert kept - ignored == report | chosen
