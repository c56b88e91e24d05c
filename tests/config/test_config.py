import pytest
import yaml

from recbole_mwuf.config import Config
from recbole_mwuf.errors import UserError
from recbole_mwuf.settings import properties_dir


def test_order_of_precedence(tmp_path, monkeypatch):
    """Defaults < data set's file < model's file < config_files < --key=value."""
    config = Config("MWUF", "ml-100k", base="DCN")
    assert config["train_batch_size"] == 256  # ours over RecBole's 2048
    assert config["cross_layer_num"] == 6  # RecBole's default of the base
    assert config["embedding_size"] == 16  # ours over RecBole's file of the base
    assert config["old_item_threshold"] == 100  # the data set's
    assert config["meta_hidden_size"] == [16]  # the method's
    file = tmp_path / "mine.yaml"
    file.write_text("old_item_threshold: 90\nphase_size: 9\nmeta_hidden_size: [8]\n")
    config = Config("MWUF", "ml-100k", [str(file)], base="DCN")
    assert (config["old_item_threshold"], config["meta_hidden_size"]) == (90, [8])
    config = Config("MWUF", "ml-100k", [str(file)], {"old_item_threshold": 80}, base="DCN")
    assert (config["old_item_threshold"], config["phase_size"]) == (80, 9)
    monkeypatch.setattr("sys.argv", ["x", "--old_item_threshold=60", "--model=FM"])
    given = ["--old_item_threshold=70", "--learning_rate=1e-2"]
    config = Config(
        *("MWUF", "ml-100k", [str(file)], {"old_item_threshold": 80}), base="DCN", arguments=given
    )
    assert (config["old_item_threshold"], config["learning_rate"]) == (70, 0.01)


def test_arguments_name_model_and_base():
    config = Config(arguments=["--model=MWUF", "--base=DIN", "--dataset=ml-1m"])
    assert (config["model"], config["base"], config["dataset"]) == ("MWUF", "DIN", "ml-1m")
    assert config.base_class.__module__ == "recbole_mwuf.model.base.din"
    assert (
        Config(arguments=["--model=PNN", "--base=DIN"])["base"] == "PNN"
    )  # a plain model is its own base


def test_values_are_read_not_executed():
    text = "__import__('os').system('true')"
    config = Config(arguments=[f"--note={text}", "--mlp_hidden_size=[8,4]"])
    assert config["note"] == text
    assert config["mlp_hidden_size"] == [8, 4]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("old_item_treshold", "old_item_threshold"),
        ("phasesize", "phase_size"),
        ("mwuf_varaint", "mwuf_variant"),
        ("learning_rat", "learning_rate"),
    ],
)
def test_misspelt_setting(wrong, right):
    with pytest.raises(UserError, match=f"no setting '{wrong}'. Did you mean '{right}'"):
        Config(config_dict={wrong: 1})


def test_a_setting_of_the_users_own_is_kept():
    assert Config(config_dict={"my_note": "x"})["my_note"] == "x"


@pytest.mark.parametrize(
    ("model", "base", "message"),
    [
        ("MWFU", None, "no model 'MWFU'. Did you mean MWUF"),
        ("mwuf", None, "Did you mean MWUF"),
        ("MWUF", "WideDep", "no model 'WideDep'. Did you mean WideDeep"),
        ("MWUF", "FFM", "base=FFM cannot be warmed up"),
        ("MWUF", "LR", "base=LR cannot be warmed up"),
        ("MWUF", "BPR", "BPR is a general recommender"),
        ("BERT4Rec", None, "BERT4Rec is a sequential recommender"),
        ("MWUF", "MWUF", "is a warm-up method"),
    ],
)
def test_unfit_models(model, base, message):
    with pytest.raises(UserError, match=message):
        Config(model, base=base)


def test_gauc_may_stand_beside_auc():
    assert Config(config_dict={"metrics": ["AUC", "GAUC"]})["metrics"] == ["AUC", "GAUC"]
    with pytest.raises(UserError, match="'NDCG' does not score labelled samples"):
        Config(config_dict={"metrics": ["AUC", "NDCG"]})


@pytest.mark.parametrize("content", ["just text", "[1, 2]", "a: [", "\xff\xfe"])
def test_unreadable_settings_file(tmp_path, content):
    file = tmp_path / "broken.yaml"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match=r"broken\.yaml"):
        Config(config_file_list=[str(file)])
    with pytest.raises(UserError, match=r"missing\.yaml"):
        Config(config_file_list=["missing.yaml"])


def test_every_properties_file_belongs_to_a_name():
    for file in properties_dir().rglob("*.yaml"):
        assert isinstance(yaml.safe_load(file.read_text(encoding="utf-8")), dict), file
