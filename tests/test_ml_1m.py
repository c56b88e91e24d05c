"""MovieLens-1M from GroupLens' own archive; skipped where it is not at hand."""

import pytest

from dataset_converters.cli import main as convert
from recbole_mwuf.config import Config
from recbole_mwuf.data import ColdStartDataset


@pytest.mark.slow
def test_converted_loaded_and_split_as_in_the_paper(ml_1m_zip, tmp_path):
    target = tmp_path / "dataset" / "ml-1m"
    assert convert(["movielens", "--input", str(ml_1m_zip), "--output", str(target)]) == 0
    config = Config("MWUF", "ml-1m", config_dict={"data_path": str(target.parent)}, base="DIN")
    data = ColdStartDataset(config)
    assert data.split.counts() == {
        "old_items": 1420,
        "new_items": 961,
        "rows": {
            **{"old": 854_530, "warm_a": 19_220, "warm_b": 19_220, "warm_c": 19_220},
            "test": 58_409,
        },
    }
    assert (data.user_num - 1, data.item_num - 1) == (6040, 3883)
    assert float(data.inter_feat["label"].mean()) == pytest.approx(575_281 / 1_000_209, abs=1e-6)
    fields = {"age", "gender", "occupation", "movie_title", "release_year", "genre"}
    assert fields < set(data.user_feat.columns + data.item_feat.columns)
