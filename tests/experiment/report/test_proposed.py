"""The method that a section proposes: it is marked, everything else is a baseline."""

import pandas as pd
import pytest

from recbole_mwuf.data import PHASES
from recbole_mwuf.experiment.grid import Section, expand
from recbole_mwuf.experiment.report.document import section_report
from tests.experiment.report.test_tables import cells, line


@pytest.fixture
def scores():
    """MetaEmb beats MWUF clearly, and MWUF the base, at every phase."""

    def columns(row):
        names = {"dataset": "tiny", "generated": False, "section": "grid", "panel": ""}
        names.update(label=row.label, model=row.model, base=row.base, settings="")
        names.update(treatment="continued", updates=2.0)
        for phase in PHASES:
            for seed, auc in row.auc[phase].items():
                for protocol in ("next_phase", "fixed_test"):
                    yield {**names, "seed": seed, "protocol": protocol, "phase": phase, "auc": auc}

    rows = [
        line("FM", "FM", "FM", [[0.6, 0.61, 0.62]] * 4),
        line("MWUF(FM)", "MWUF", "FM", [[0.65, 0.66, 0.671]] * 4),
        line("MetaEmb(FM)", "MetaEmb", "FM", [[0.7, 0.71, 0.722]] * 4),
    ]
    return pd.DataFrame([values for row in rows for values in columns(row)])


def report(scores, proposed, tmp_path):
    """Of one protocol: the note, the table's rows, the verdict."""
    section = Section("grid", "Own grid", "table", [], proposed)
    _, _, note, table, verdict, *_ = section_report(section, scores, tmp_path)
    return note, cells(table)[2:], verdict


def test_the_proposed_method_is_compared_with_the_others(scores, tmp_path):
    note, (fm, mwuf, meta_emb), verdict = report(scores, "MetaEmb", tmp_path)
    assert r"\*: a MetaEmb row that is better than the best baseline" in note
    assert meta_emb[2] == r"**.7107 ± .0110**\*"
    assert mwuf[2] == ".6603 ± .0105" and fm[2] == ".6100 ± .0100"
    assert verdict.startswith("Each MetaEmb row beats every baseline row of its base")
    assert "(6 comparisons)" in verdict


def test_another_one_may_be_beaten(scores, tmp_path):
    note, (_, mwuf, meta_emb), verdict = report(scores, "MWUF", tmp_path)
    assert r"\*: an MWUF row" in note
    assert not any(r"\*" in cell for cell in [*mwuf, *meta_emb])
    assert verdict.startswith("MWUF beats every baseline row of its base at warm-a, -b and -c")
    assert "except in 3 of 6 comparisons" in verdict


def test_a_grid_of_plain_models_proposes_nothing(scores, tmp_path):
    note, rows, verdict = report(scores, "", tmp_path)
    assert note.endswith("**Bold**: best of the phase.")
    assert not any(r"\*" in cell for row in rows for cell in row)
    assert verdict == ""


def test_who_is_proposed(builder):
    assert {builder.preset(name).proposed for name in expand(["all", "settings"])} == {"MWUF"}
    assert builder.own(["FM", "MetaEmb", "MWUF"], ["DCN"]).proposed == "MetaEmb"
    assert builder.own(["FM", "DIN"], [None]).proposed == ""
