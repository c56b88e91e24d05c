"""A damaged or incomplete checkpoint is refused; one that is accepted gives the same scores."""

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from recbole.trainer import Trainer

from recbole_mwuf.data import SetLoader
from recbole_mwuf.errors import UserError
from recbole_mwuf.model.base import create_base
from recbole_mwuf.trainer import BaseTrainer, checkpoint
from recbole_mwuf.trainer.integrity import FIELDS

N_FLIPS, N_BLOCKS = 400, 100


@pytest.fixture
def base(make):
    """A base's config, data and checkpoint."""
    config, data = make(model="FM")
    trainer = BaseTrainer(config, create_base(config, data))
    trainer.save_base("base.pth", data, checkpoint.ANY_METHOD)
    return config, data, Path("base.pth")


@pytest.fixture
def recboles(make) -> Path:
    """What RecBole's own Trainer writes."""
    config, data = make(model="FM")
    trainer = Trainer(config, create_base(config, data))
    trainer.fit(SetLoader(data, "old", 16), verbose=False)
    return Path(trainer.saved_model_file)


def scores(config, data, file) -> torch.Tensor:
    """Predictions of the base in a checkpoint."""
    torch.manual_seed(0)
    module = create_base(config, data)
    checkpoint.load_base(file, module, data)
    return module.eval().predict(data.batch(torch.arange(len(data.inter_feat)), "cold")).detach()


def flipped(content: bytes, rng) -> bytes:
    """One bit is another."""
    damaged = bytearray(content)
    damaged[rng.integers(len(content))] ^= 1 << rng.integers(8)
    return bytes(damaged)


def zeroed(content: bytes, rng) -> bytes:
    """A block of a disk has come back empty."""
    start = rng.integers(len(content) // 64) * 64
    return content[:start] + bytes(64) + content[start + 64 :]


def swept(config, data, file: Path, damage, times: int) -> tuple[int, int]:
    """Damage a file at random places; how often it was refused and how often it made no difference.

    Fails where it is accepted with other scores.
    """
    whole, rng = file.read_bytes(), np.random.default_rng(0)
    expected, refused, same = scores(config, data, file), 0, 0
    for _ in range(times):
        content = damage(whole, rng)
        if content == whole:
            continue
        Path("damaged.pth").write_bytes(content)
        try:
            found = scores(config, data, "damaged.pth")
        except UserError as error:
            assert len(str(error).splitlines()) == 1
            refused += 1
        else:
            assert torch.equal(found, expected)
            same += 1
    return refused, same


def test_a_flipped_bit_is_refused_or_makes_no_difference(base):
    refused, same = swept(*base, flipped, N_FLIPS)
    assert refused + same == N_FLIPS
    assert refused > same  # dates and padding in the archive may be anything


def test_a_zeroed_block_is_refused_or_makes_no_difference(base):
    refused, same = swept(*base, zeroed, N_BLOCKS)
    assert refused > same


def test_the_same_for_recboles_checkpoints(base, recboles):
    config, data, _ = base
    refused, same = swept(config, data, recboles, flipped, N_FLIPS // 2)
    assert refused > same
    refused, _ = swept(config, data, recboles, zeroed, N_BLOCKS)
    assert refused > 0


def test_torch_alone_would_have_loaded_it(base):
    """The reason for the check: a bit of a weight, which no other check can tell."""
    config, data, file = base
    with zipfile.ZipFile(file) as archive:
        largest = max(archive.infolist(), key=lambda member: member.file_size)
    content = bytearray(file.read_bytes())
    names = struct.unpack_from("<HH", content, largest.header_offset + 26)
    content[largest.header_offset + 30 + sum(names) + 2] ^= 1  # in the mantissa of the first number
    Path("damaged.pth").write_bytes(content)
    assert torch.load("damaged.pth", weights_only=True)["kind"] == "base"
    with pytest.raises(UserError, match=r"its part '.*' is damaged \(checksum\)"):
        scores(config, data, "damaged.pth")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_file_that_is_cut_off(base, share):
    config, data, file = base
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UserError, match=r"'base.pth' is not a readable checkpoint"):
        scores(config, data, file)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_none(base, value):
    config, data, file = base
    content = torch.load(file, weights_only=True)
    name, weight = next(iter(content["state_dict"].items()))
    weight.view(-1)[7] = value
    torch.save(content, file)
    with pytest.raises(UserError, match=f"state_dict.{name} holds NaN or infinite values"):
        scores(config, data, file)


@pytest.mark.parametrize("field", sorted(FIELDS["base"]))
def test_every_field_is_needed_and_of_one_type(base, field):
    config, data, file = base
    content = torch.load(file, weights_only=True)
    kept = content.pop(field)
    torch.save(content, file)
    lacks = "it has no state_dict" if field == "state_dict" else f"there is no '{field}'"
    with pytest.raises(UserError, match=lacks):
        scores(config, data, file)
    torch.save({**content, field: [kept]}, file)
    wrong = "it has no state_dict" if field == "state_dict" else f"'{field}' is a list, but must be"
    with pytest.raises(UserError, match=wrong):
        scores(config, data, file)


def test_every_part_of_the_fingerprint_is_needed(base):
    config, data, file = base
    for part in data.fingerprint:
        content = torch.load(file, weights_only=True)
        del content["fingerprint"][part]
        torch.save(content, "lacks.pth")
        with pytest.raises(UserError, match=f"fingerprint is incomplete: there is no '{part}'"):
            scores(config, data, "lacks.pth")


def test_an_earlier_versions_checkpoint_is_refused_in_a_line(base):
    config, data, file = base
    content = torch.load(file, weights_only=True)
    torch.save({**content, "schema": 1}, file)
    with pytest.raises(UserError, match=r"has schema 1, but this version reads 2; train the base"):
        scores(config, data, file)


def test_a_base_of_recboles_comes_with_a_warning(base, recboles, caplog):
    config, data, file = base
    scores(config, data, file)
    assert not caplog.records
    scores(config, data, recboles)
    assert "does not tell which interactions it was trained on" in caplog.text
