"""Whole runs through the command line, as a user would start them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from recbole.config import Config as RecBoleConfig
from recbole.data import create_dataset, data_preparation
from recbole.model.context_aware_recommender import WideDeep
from recbole.trainer import Trainer

from recbole_mwuf.cli import main
from recbole_mwuf.compat import older_libraries
from recbole_mwuf.data import PHASES, SetLoader
from recbole_mwuf.quick_start import run
from tests.conftest import tiny_interactions, write_tiny


@pytest.fixture
def command(settings):
    """Runs the command line on the small data set; returns its exit status."""

    def call(*arguments, **changes):
        given = {**settings, "dataset": "tiny", **changes}
        arguments = [*(f"--{k}={v}" for k, v in given.items()), *arguments]
        return main(arguments)

    return call


def without_timing(path):
    content = json.loads(Path(path).read_text())
    content.pop("timing")
    content["config"].pop("result_path")
    return content


def test_table_and_result_file(command, capsys):
    assert command(model="MWUF", base="WideDeep", result_path="r.json") == 0
    table = capsys.readouterr().out
    assert table.splitlines()[0].split() == ["cold", "warm-a", "warm-b", "warm-c"]
    result = json.loads(Path("r.json").read_text())
    assert set(result) == {
        *("schema", "model", "base", "dataset", "seed", "split", "phases", "base_phases"),
        *("rela_impr", "timing", "updates", "auc_draws", "config", "versions"),
        *("fingerprint", "pretraining", "checksum"),
    }
    assert result["split"].pop("positive_shares").keys() == result["split"]["rows"].keys()
    assert result["split"] == {
        "old_items": 4,
        "new_items": 5,
        "rows": {"old": 171, "warm_a": 15, "warm_b": 15, "warm_c": 15, "test": 30},
    }
    for title, phases in (("WideDeep", "base_phases"), ("MWUF(WideDeep)", "phases")):
        for protocol in ("next_phase", "fixed_test"):
            values = [f"{result[phases][p][protocol]['auc']:.4f}" for p in PHASES]
            assert [protocol, "auc", title, *values] in [row.split() for row in table.splitlines()]
    for phase in PHASES:
        auc, base = (result[k][phase]["next_phase"]["auc"] for k in ("phases", "base_phases"))
        assert result["rela_impr"][phase] == pytest.approx((auc - 0.5) / (base - 0.5) - 1)
    timing = result["timing"]
    assert timing["meta_samples_per_s"] == pytest.approx(171 / timing["meta_s"], rel=0.05)
    assert {"load_s", "pretrain_s", "phases_s", "peak_rss_mb"} < set(timing)


def test_plain_model_through_the_same_phases(command):
    assert command(model="DCN", result_path="dcn.json") == 0
    result = json.loads(Path("dcn.json").read_text())
    assert (result["model"], result["base"]) == ("DCN", "DCN")
    assert result["base_phases"] is None
    assert command(model="MWUF", base="DCN", result_path="mwuf.json") == 0
    assert json.loads(Path("mwuf.json").read_text())["base_phases"] == result["phases"]


def test_same_command_twice_and_another_seed(command):
    for name, seed in (("first", 1), ("second", 1), ("other", 2)):
        assert command(base="DIN", seed=seed, result_path=f"{name}.json") == 0
    first, second, other = (without_timing(f"{n}.json") for n in ("first", "second", "other"))
    assert first == second
    assert first["phases"] != other["phases"]


def test_base_phases_can_be_left_out(command):
    assert command(result_path="with.json") == 0
    assert command(result_path="without.json", base_phases=False) == 0
    with_base, without = without_timing("with.json"), without_timing("without.json")
    assert without["base_phases"] is None
    assert without["rela_impr"] is None
    assert with_base["phases"] == without["phases"]


def test_checkpoints_and_a_base_trained_before(command):
    assert command(result_path="first.json") == 0
    checkpoints = sorted(Path("saved").glob("*.pth"))
    assert [c.name.split("-")[0] for c in checkpoints] == ["MWUF", "WideDeep"]
    for file in checkpoints:
        content = torch.load(file, weights_only=True)
        assert content["state_dict"]
    assert command(result_path="again.json", pretrained_base=checkpoints[1]) == 0
    first, again = without_timing("first.json"), without_timing("again.json")
    assert first["phases"] == again["phases"]
    assert first["base_phases"] == again["base_phases"]


def test_a_base_trained_by_recbole(command, settings):
    """RecBole's own Config, Dataset, loaders and Trainer; then its checkpoint is warmed up."""
    load_col = settings["load_col"]
    with older_libraries():
        config = RecBoleConfig(
            "WideDeep",
            "tiny",
            config_dict={
                **{"data_path": settings["data_path"], "load_col": load_col},
                **{"embedding_size": 16, "mlp_hidden_size": [64, 64, 64], "epochs": 1},
                "show_progress": False,
            },
        )
        train_data, valid_data, _ = data_preparation(config, create_dataset(config))
    trainer = Trainer(config, WideDeep(config, train_data.dataset))
    trainer.fit(train_data, valid_data, verbose=False)
    assert command(pretrained_base=trainer.saved_model_file, result_path="r.json") == 0
    assert json.loads(Path("r.json").read_text())["timing"]["pretrain_s"] == 0


def test_new_items_of_a_foreign_base_start_untrained(settings, make):
    from recbole_mwuf.registry import get_base
    from recbole_mwuf.trainer import checkpoint

    config, data = make(model="WideDeep")
    model = WideDeep(config, data)
    trainer = Trainer(config, model)
    trainer.fit(SetLoader(data, "test", 16), verbose=False)  # it has seen the new items
    fresh = get_base("WideDeep")(config, data)
    before = fresh.token_embedding_table.embedding.weight.detach().clone()
    checkpoint.load_base(trainer.saved_model_file, fresh, data)
    after = fresh.token_embedding_table.embedding.weight
    start = int(fresh.token_field_offsets[fresh.token_field_names.index("item_id")])
    new = start + torch.from_numpy(data.split.is_new).nonzero().flatten()
    old = start + torch.from_numpy(data.split.is_old).nonzero().flatten()
    assert torch.equal(after[new], before[new])
    assert torch.equal(after[old], model.token_embedding_table.embedding.weight[old])


def test_interrupt_leaves_a_base_to_go_on_from(command, monkeypatch, capsys):
    from recbole_mwuf.trainer import WarmUpTrainer

    assert command(result_path="whole.json") == 0
    for file in Path("saved").iterdir():
        file.unlink()

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(WarmUpTrainer, "run_phases", interrupted)
        assert command(result_path="part.json") == 130
    assert not Path("part.json").exists()
    (base,) = Path("saved").iterdir()
    assert command(result_path="resumed.json", pretrained_base=base) == 0
    whole, resumed = without_timing("whole.json"), without_timing("resumed.json")
    assert whole["phases"] == resumed["phases"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "MWFU"}, "no model 'MWFU'"),
        ({"base": "Wide"}, "no model 'Wide'"),
        ({"base": "FFM"}, "base=FFM cannot be warmed up"),
        ({"dataset": "nowhere"}, "dataset=nowhere: there is no"),
        ({"dataset": "ml-1m"}, "python -m dataset_converters movielens"),
        ({"TIME_FIELD": "moment"}, "TIME_FIELD=moment is not among the loaded"),
        ({"LABEL_FIELD": "click"}, "LABEL_FIELD=click is not among the loaded"),
        ({"old_item_threshold": 1000}, "leave no old items"),
        ({"phase_size": 7}, "leave no new items"),
        ({"phase_size": "x"}, "phase_size is 'x'"),
        ({"load_col": {"inter": ["user_id", "item_id", "label", "timestamp"]}}, "no item features"),
        ({"pretrained_base": "none.pth"}, "there is no checkpoint 'none.pth'"),
        ({"old_item_treshold": 9}, "Did you mean 'old_item_threshold'"),
        ({"threshold": {"label": 5}}, "nothing to learn"),
        ({"interacted_users": "some"}, "interacted_users is 'some'"),
        ({"old_item_mean": "median"}, "old_item_mean is 'median'"),
        ({"warm_up_first_order": "no"}, "warm_up_first_order is 'no', but must be True or False"),
        (
            {"sparse_embedding": "no"},
            "sparse_embedding is 'no', but must be True or False or ~",
        ),
        ({"mwuf_variant": "shft"}, "mwuf_variant is 'shft', but must be full or init or shift"),
        ({"warm_up_optimizer": "new"}, "warm_up_optimizer is 'new'"),
        ({"metrics": "NDCG"}, "'NDCG' does not score labelled samples"),
    ],
)
def test_bad_input(command, capsys, monkeypatch, changes, message):
    def no_network(*_):
        raise OSError("no network")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    assert command(**changes, result_path="r.json") == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert error[0].startswith("error: ")
    assert message in error[0]
    assert not Path("r.json").exists()
    assert not list(Path().glob("saved/*"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a readable checkpoint"),
        (b"not a checkpoint", "not a readable checkpoint"),
        ({"weights": 1}, "it has no state_dict"),
        ({"state_dict": {}, "kind": "warm_up"}, "holds a warm_up model"),
        ({"state_dict": {}, "kind": "base", "schema": 99}, "schema 99"),
        ({"state_dict": {}, "kind": "base"}, "schema None"),
        ({"state_dict": {}, "kind": "base", "schema": 2}, "incomplete: there is no 'vocabulary'"),
        ({"state_dict": {}}, "neither ours nor of RecBole's Trainer: there is no 'config'"),
        ({"state_dict": {"w": torch.tensor([float("nan")])}}, "state_dict.w holds NaN"),
    ],
)
def test_broken_checkpoint(command, capsys, content, message):
    if isinstance(content, bytes):
        Path("base.pth").write_bytes(content)
    else:
        torch.save(content, "base.pth")
    assert command(pretrained_base="base.pth") == 2
    assert message in capsys.readouterr().err


def test_base_of_another_shape_or_kind(command, capsys):
    assert command(model="WideDeep") == 0
    (base,) = Path("saved").glob("*-base-*")
    assert command(pretrained_base=base, embedding_size=8) == 2
    assert "does not fit base=WideDeep" in capsys.readouterr().err
    assert command(pretrained_base=base, base="DCN") == 2
    assert "is a WideDeep, but base=DCN" in capsys.readouterr().err


def test_a_checkpoint_runs_no_code(command, capsys):
    import pickle

    class Attack:
        def __reduce__(self):
            return os.mkdir, ("attacked",)

    torch.save({"state_dict": {}, "config": Attack()}, "evil.pth")
    assert pickle is not None
    assert command(pretrained_base="evil.pth") == 2
    assert "not a readable checkpoint" in capsys.readouterr().err
    assert not Path("attacked").exists()


def test_empty_times_are_refused(tmp_path, command, capsys):
    frame = tiny_interactions()
    frame.loc[frame.index[:3], "timestamp:float"] = pd.NA
    write_tiny(tmp_path, frame)
    assert command(data_path=tmp_path) == 2
    assert "TIME_FIELD=timestamp is empty in 3 interactions" in capsys.readouterr().err


@pytest.mark.parametrize("argument", ["--model", "MWUF", "-m=MWUF", "--base="])
def test_malformed_argument(capsys, argument):
    assert main([argument]) == 2
    assert argument in capsys.readouterr().err


def test_unexpected_failures_show_a_traceback_on_request_only(command, capsys, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("something else")

    monkeypatch.setattr("recbole_mwuf.cli.run.execute", broken)
    assert command() == 1
    assert "error: RuntimeError: something else" in capsys.readouterr().err
    with pytest.raises(RuntimeError):
        command(state="DEBUG")


def test_anomaly_detection_stays_off(settings):
    import recbole.model.sequential_recommender  # noqa: F401  (its sine.py switches it on)

    torch.autograd.set_detect_anomaly(False)
    run("MWUF", "DIN", "tiny", config_dict=settings, saved=False)
    assert not torch.is_anomaly_enabled()


def test_nothing_is_written_if_not_asked(settings):
    run("MWUF", "WideDeep", "tiny", config_dict=settings, saved=False)
    assert not list(Path().glob("saved/*"))


@pytest.mark.slow
def test_the_readme_command_in_a_process_of_its_own(tmp_path):
    """The embedded default: a table on standard output, exit status 0, no ray."""
    script = Path(__file__).parents[1] / "run_recbole_mwuf.py"
    code = (
        "import runpy, sys; sys.argv = ['run_recbole_mwuf.py', '--show_progress=False'];"
        "status = 0\n"
        f"try: runpy.run_path({str(script)!r}, run_name='__main__')\n"
        "except SystemExit as end: status = end.code\n"
        "assert 'ray' not in sys.modules; sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    rows = {tuple(line.split()[:3]): line.split()[3:] for line in done.stdout.splitlines()[1:]}
    base = [float(v) for v in rows["next_phase", "auc", "WideDeep"]]
    warm = [float(v) for v in rows["next_phase", "auc", "MWUF(WideDeep)"]]
    assert all(0.6 < v < 0.8 for v in base + warm)
    assert all(w > b for w, b in zip(warm[1:], base[1:]))


def test_threads_of_torch(settings):
    before = torch.get_num_threads()
    try:
        run("MWUF", "WideDeep", "tiny", config_dict={**settings, "torch_threads": 2}, saved=False)
        assert torch.get_num_threads() == 2
        run("MWUF", "WideDeep", "tiny", config_dict=settings, saved=False)
        assert torch.get_num_threads() == 1  # the default of properties/overall.yaml
    finally:
        torch.set_num_threads(before)
