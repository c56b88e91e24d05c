"""Converted files through RecBole: what takes part in a run does not depend on what is left out."""

import pytest

from dataset_converters import Options, convert
from recbole_mwuf.config import Config
from recbole_mwuf.data import SETS, ColdStartDataset
from recbole_mwuf.quick_start import run
from tests.dataset_converters import raw_layouts
from tests.dataset_converters.conftest import SMALL

N_AND_K = {"old_item_threshold": 30, "phase_size": 4}
WRITE = {"taobao-ad": raw_layouts.write_taobao, "cikm2019": raw_layouts.write_cikm2019}


def participants(data):
    """Per set: user, item, label, time and all features of every row, as raw tokens."""
    found = {}
    for name in SETS:
        rows = data.split.rows(name)
        columns = [data.times[rows].tolist(), data.inter_feat["label"][rows].tolist()]
        users, items = (data.inter_feat[f][rows].numpy() for f in ("user_id", "item_id"))
        for feat, ids in ((data.user_feat, users), (data.item_feat, items)):
            for field in feat.columns:
                columns.append(data.id2token(field, feat[field].numpy()[ids]).tolist())
        found[name] = sorted(zip(*columns))
    return found


@pytest.mark.parametrize("dataset", sorted(WRITE))
def test_items_that_take_no_part_may_be_left_out(tmp_path, dataset):
    converter = dataset.split("-")[0]
    WRITE[dataset](tmp_path / "raw", seed=1, **(SMALL[converter] | {"rows": 3000}))
    loaded = {}
    for least in (0, 3 * N_AND_K["phase_size"] + 1):
        folder = tmp_path / str(least)
        convert(Options(converter, [tmp_path / "raw"], folder / dataset, min_item_count=least))
        settings = {"data_path": str(folder), "state": "ERROR", **N_AND_K}
        loaded[least] = ColdStartDataset(
            Config("MWUF", dataset, config_dict=settings, base="WideDeep")
        )
    every, taking_part = loaded.values()
    assert taking_part.item_num < every.item_num
    assert taking_part.split.counts() == every.split.counts()
    assert participants(taking_part) == participants(every)


def test_mwuf_runs_on_the_layout_of_taobao(tmp_path):
    raw_layouts.write_taobao(tmp_path / "raw", seed=1, **(SMALL["taobao"] | {"rows": 3000}))
    target = tmp_path / "dataset" / "taobao-ad"
    convert(Options("taobao", [tmp_path / "raw"], target, min_item_count=13))
    settings = {"data_path": str(target.parent), "show_progress": False, **N_AND_K}
    settings |= {"state": "ERROR", "sparse_embedding": True}
    result = run("MWUF", "WideDeep", "taobao-ad", config_dict=settings, saved=False)
    assert all(p["next_phase"]["logloss"] < 1 for p in result.phases.values())
