"""The presets are the paper's, and they share runs."""

import pytest

from recbole_mwuf.errors import UserError
from recbole_mwuf.experiment.grid import GridBuilder, expand
from recbole_mwuf.experiment.report.tables import paper_table


def labels(section):
    return [row.label for row in section.rows]


def test_table1_has_the_papers_rows_in_its_order(builder):
    found = labels(builder.preset("table1"))
    assert len(found) == 13
    for dataset in ("ml-1m", "taobao-ad", "cikm2019"):
        assert list(paper_table().loc[dataset].index) == found


def test_figure2_is_six_bases_by_base_metaemb_and_mwuf(builder):
    rows = builder.preset("figure2").rows
    bases = ["WideDeep", "PNN", "DCN", "AFN", "GRU4Rec", "DIN"]
    assert [(row.panel, row.model) for row in rows] == [
        (base, model) for base in bases for model in (base, "MetaEmb", "MWUF")
    ]
    assert all(row.base == row.panel for row in rows)


def test_figures_3_and_4_are_variants_on_wide_and_deep(builder):
    ablation = builder.preset("figure3").rows
    assert [row.resolved.get("mwuf_variant") for row in ablation] == [
        *(None, "init", "shift", "scale", "full")
    ]
    starts = builder.preset("figure4").rows
    assert [row.model for row in starts] == ["WideDeep", "MWUF", "MetaEmb"]
    assert starts[1].key == ablation[1].key
    assert {row.base for row in ablation + starts} == {"WideDeep"}


def test_presets_share_runs(builder):
    sections = [builder.preset(name) for name in expand(["all"])]
    assert [section.name for section in sections] == ["table1", "figure2", "figure3", "figure4"]
    assert sum(len(section.rows) for section in sections) == 39
    jobs = builder.jobs(sections, [2021, 2022])
    # 13 of table1, 8 more of figure2 (5 MetaEmb, 3 MWUF), 3 more variants
    assert len(jobs) == len({job.key for job in jobs}) == 2 * 24
    assert [job.seed for job in jobs] == [2021] * 24 + [2022] * 24
    assert jobs[1].label == "WideDeep"
    # 7 bases; DropoutNet and MeLU train their own
    assert len({job.base_key for job in jobs if job.seed == 2021} - {None}) == 7
    assert [job.label for job in jobs[:24] if job.base_key is None] == ["DropoutNet", "MeLU"]


def test_settings_are_compared_on_one_base(builder):
    rows = builder.preset("settings").rows
    panels = list(dict.fromkeys(row.panel for row in rows))
    for panel in panels:
        plain, *warmed_up = (row for row in rows if row.panel == panel)
        assert plain.model == plain.base
        assert warmed_up[0].model == "MWUF"
        assert {row.base for row in warmed_up} == {plain.base}
    for row in rows:
        name, _, value = row.panel.split(", ")[-1].partition("=")
        if row.model == "MWUF" and value:
            assert str(row.resolved[name]) in (value, f"{value}.0")
            assert row.key != rows[1].key


def test_own_grid_has_the_plain_bases_beside_the_methods(builder):
    found = builder.own(["MWUF", "MetaEmb", "FM"], ["DCN", "PNN"])
    assert [(row.label, row.panel) for row in found.rows] == [
        *[("DCN", "DCN"), ("MWUF(DCN)", "DCN"), ("MetaEmb(DCN)", "DCN")],
        *[("PNN", "PNN"), ("MWUF(PNN)", "PNN"), ("MetaEmb(PNN)", "PNN")],
        ("FM", ""),
    ]
    assert labels(builder.own(["MWUF"], [None])) == ["WideDeep", "MWUF(WideDeep)"]
    assert labels(builder.own(["DIN", "FM"], [None])) == ["DIN", "FM"]


def test_settings_of_a_row_go_before_those_of_all_runs(settings):
    given = {**settings, "mwuf_variant": "scale", "embedding_init": "1.0"}
    rows = GridBuilder("tiny", [], given).preset("figure3").rows
    assert rows[1].resolved["mwuf_variant"] == "init"
    assert all(row.resolved["embedding_init"] == 1.0 for row in rows)


def test_unknown_preset():
    with pytest.raises(UserError, match="no preset 'table2'; use all, all_fresh, table1"):
        expand(["table2"])
