import numpy as np
import pytest
import torch
from scipy.stats import ttest_rel
from sklearn.metrics import roc_auc_score

from recbole_mwuf.config import Config
from recbole_mwuf.evaluator.calibration import reliability
from recbole_mwuf.evaluator.metrics import evaluate, paired_p_value, rela_impr


@pytest.fixture
def config():
    return Config(
        config_dict={"metrics": ["AUC", "LogLoss", "GAUC", "MAE"], "metric_decimal_place": 9}
    )


def test_hand_worked(config):
    scores = torch.tensor([0.9, 0.2, 0.6, 0.6, 0.1, 0.7])
    labels = torch.tensor([1.0, 0.0, 1.0, 0.0, 0.0, 1.0])
    users = torch.tensor([1, 1, 2, 2, 3, 4])
    result = evaluate(config, scores, labels, users)
    # pairs (positive, negative): 9; the tie 0.6 / 0.6 counts half
    assert result["auc"] == pytest.approx(8.5 / 9)
    # users 3 and 4 have one class; user 1 is right (1), user 2 ties (0.5), one positive each
    assert result["gauc"] == pytest.approx(0.75)
    assert result["logloss"] == pytest.approx(
        -np.mean(np.log([0.9, 0.8, 0.6, 0.4, 0.9, 0.7])), abs=1e-6
    )
    assert result["mae"] == pytest.approx(np.mean([0.1, 0.2, 0.4, 0.6, 0.1, 0.3]), abs=1e-6)


def test_calibrated_scores_have_no_calibration_error():
    config = Config(config_dict={"metrics": ["ECE"]})
    scores, labels = torch.tensor([0.25] * 4 + [0.5] * 2), torch.tensor([1.0, 0, 0, 0, 1, 0])
    assert evaluate(config, scores, labels, torch.arange(6))["ece"] == 0
    assert evaluate(config, 1 - scores, labels, torch.arange(6))["ece"] > 0.3


def test_auc_and_gauc_against_scikit_learn(config):
    rng = np.random.default_rng(0)
    users, labels = rng.integers(0, 9, 400), rng.integers(0, 2, 400)
    scores = np.round(rng.random(400).astype(np.float32), 2)  # with ties
    result = evaluate(config, *(torch.from_numpy(x) for x in (scores, labels, users)))
    assert result["auc"] == pytest.approx(roc_auc_score(labels, scores))
    of_user = [roc_auc_score(labels[users == u], scores[users == u]) for u in range(9)]
    positives = [labels[users == u].sum() for u in range(9)]
    assert result["gauc"] == pytest.approx(np.average(of_user, weights=positives))


def test_one_class_only_is_null_with_a_warning(config, caplog):
    result = evaluate(config, torch.tensor([0.2, 0.4]), torch.ones(2), torch.tensor([1, 2]))
    assert result["auc"] is None
    assert result["gauc"] is None
    assert result["logloss"] == pytest.approx(-np.mean(np.log([0.2, 0.4])), abs=1e-6)
    assert "auc, gauc cannot be computed for 2 samples with 2 positive" in caplog.text


def test_gauc_without_a_user_of_both_classes(config):
    result = evaluate(
        config, torch.tensor([0.2, 0.4]), torch.tensor([0.0, 1.0]), torch.tensor([1, 2])
    )
    assert result["auc"] == 1
    assert result["gauc"] is None


def test_ece_stands_beside_recboles_metrics():
    settings = {"metrics": ["ECE", "AUC"], "valid_metric": "ECE", "metric_decimal_place": 9}
    config = Config(config_dict=settings)
    assert config["valid_metric_bigger"] is False
    scores, labels = torch.tensor([0.30, 0.32, 0.9, 0.95, 1.0]), torch.tensor([1.0, 0, 1, 0, 1])
    result = evaluate(config, scores, labels, torch.arange(5))
    # bins of 1/15: .30 and .32 share one (a half is positive), .9 has one, .95 and 1 the last
    assert result["ece"] == pytest.approx((0.38 + 0.1 + 0.95) / 5, abs=1e-6)
    assert list(result) == ["ece", "auc"]


def test_ece_is_what_the_reliability_diagram_shows():
    rng = np.random.default_rng(0)
    scores = np.append(rng.random(500), [0.0, 1.0]).astype(np.float32)
    labels = (rng.random(502) < scores**2).astype(np.float32)
    bins = reliability(scores, labels)
    assert len(bins["samples"]) == 15
    off = np.abs(bins["observed"] - bins["predicted"])
    expected = np.average(off, weights=bins["samples"])
    config = Config(config_dict={"metrics": ["ECE"], "metric_decimal_place": 9})
    arrays = (torch.from_numpy(x) for x in (scores, labels, np.arange(502)))
    assert evaluate(config, *arrays)["ece"] == pytest.approx(expected, abs=1e-8)


def test_rela_impr_is_the_papers():
    # Table 1, ML-1M, over Wide & Deep: FM at cold -74.2 %, MWUF(AFN) at warm-c 60.7 %
    assert round(100 * rela_impr(0.5250, 0.5968), 1) == -74.2
    assert round(100 * rela_impr(0.7447, 0.6523), 1) == 60.7
    assert rela_impr(0.6, 0.6) == 0
    assert rela_impr(None, 0.6) is None
    assert rela_impr(0.6, None) is None


def test_paired_t_test_by_hand():
    # differences .1 .2 .3: mean .2, standard error .1 / sqrt(3), t = 3.4641 with 2 degrees
    p = paired_p_value([0.6, 0.8, 0.9], [0.5, 0.6, 0.6])
    assert p == pytest.approx(0.0741799, abs=1e-6)
    assert p == pytest.approx(ttest_rel([0.6, 0.8, 0.9], [0.5, 0.6, 0.6]).pvalue)
    assert paired_p_value([0.6], [0.5]) is None
    with pytest.raises(ValueError, match="2 against 1"):
        paired_p_value([0.6, 0.7], [0.5])


def test_equal_differences_have_no_p_value():
    """As tests on few samples give them: both are 0.1 but for the last bit."""
    first, second = [0.3, 0.4], [0.2, 0.3]
    assert 0 < abs((first[0] - second[0]) - (first[1] - second[1])) < 1e-15
    assert paired_p_value(first, second) is None
