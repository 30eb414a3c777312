"""A35: a copy of the UTXO set that was damaged or edited, through the command line and without any node."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support.cli import run, run_json
from support.psbt_builder import TestVault
from support.utxo_dumps import DumpCoin, dump, set_hash

VAULT = TestVault(threshold=1, key_count=2)
BLOCK = "ab" * 32


def made(value: int = 50_000) -> list[DumpCoin]:
    """Return a set of three coins, two of them the vault's."""
    ours = [VAULT.at(0, 4).script_pubkey, VAULT.at(1, 2).script_pubkey]
    stranger = b"\x00\x14" + bytes(20)
    return [
        DumpCoin("11" * 32, 0, value, ours[0], 120),
        DumpCoin("22" * 32, 1, 7_000, ours[1], 130),
        DumpCoin("33" * 32, 0, 1_000_000, stranger, 140, True),
    ]


@pytest.fixture
def asked(tmp_path: Path) -> list[str | Path]:
    source = tmp_path / "descriptor.txt"
    source.write_text(VAULT.descriptor_text)
    return ["audit", "balance", "--descriptor", source, "--network", "regtest", "--utxo-dump", tmp_path / "utxo.dat"]


def test_a_true_copy_gives_the_balance(asked: list[str | Path]) -> None:
    Path(asked[-1]).write_bytes(dump(made(), block_hash=BLOCK))
    answer = run_json([*asked, "--expect-txoutset-hash", set_hash(made())])
    assert (answer["total_sats"], answer["block_hash"]) == (57_000, BLOCK)


def test_a35_an_edited_amount_is_found_by_the_trusted_hash(asked: list[str | Path]) -> None:
    Path(asked[-1]).write_bytes(dump(made(60_000), block_hash=BLOCK))
    refused = run([*asked, "--expect-txoutset-hash", set_hash(made()), "--json"])
    assert (refused.exit_code, refused.error["error"]) == (3, "TXOUTSET_HASH_DIFFERS")
    assert refused.stdout == ""


def test_a35_a_coin_left_out_is_found_by_the_trusted_hash(asked: list[str | Path]) -> None:
    Path(asked[-1]).write_bytes(dump(made()[1:], block_hash=BLOCK))
    refused = run([*asked, "--expect-txoutset-hash", set_hash(made()), "--json"])
    assert (refused.exit_code, refused.error["error"]) == (3, "TXOUTSET_HASH_DIFFERS")


def test_a35_a_copy_relabelled_to_another_block_is_found_by_its_name(asked: list[str | Path]) -> None:
    """The trusted hash covers the coins alone: the set of June, sold as that of December, has June's hash."""
    relabelled = "cd" * 32
    Path(asked[-1]).write_bytes(dump(made(), block_hash=relabelled))
    trusted = [*asked, "--expect-txoutset-hash", set_hash(made())]
    refused = run([*trusted, "--block", BLOCK, "--json"])
    assert (refused.exit_code, refused.error["error"], refused.stdout) == (3, "CHAIN_DISAGREES", "")
    fooled = run_json(trusted)
    assert [(one["code"], one["severity"]) for one in fooled["findings"]] == [("UTXO_UNVERIFIED", "note")]
    assert "the hash covers the coins, not the name of their block" in fooled["findings"][0]["message"]
    assert run_json([*trusted, "--block", relabelled])["findings"] == []
    assert run([*trusted, "--height", "7"]).exit_code == 2


@pytest.mark.parametrize("hurt", [lambda raw: raw[:-1], lambda raw: raw + b"\0", lambda raw: raw[:51] + raw[80:]])
def test_a35_a_damaged_copy_is_refused_at_its_byte(asked: list[str | Path], hurt: Callable[[bytes], bytes]) -> None:
    Path(asked[-1]).write_bytes(hurt(dump(made(), block_hash=BLOCK)))
    refused = run([*asked, "--json"])
    assert (refused.exit_code, refused.error["error"]) == (6, "UTXO_DUMP_INVALID")
    assert refused.error["details"]["position"] >= 51
    assert refused.stdout == ""
