"""Blocks: the published first blocks, the merkle root, the coinbase's height, the target."""

from dataclasses import replace

import pytest

from custody.bitcoin.amount import sats
from custody.bitcoin.block import (
    REGTEST_BITS,
    Block,
    BlockHeader,
    coinbase_transaction,
    height_push,
    is_coinbase,
    median_time_past,
    merkle_root,
    mine_block,
    regtest_subsidy,
    target_of,
    witness_commitment_script,
)
from custody.bitcoin.hashing import sha256d
from custody.bitcoin.transaction import Transaction
from custody.errors import InvalidInput

GENESIS_TRANSACTION = Transaction.parse(
    bytes.fromhex(
        "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d01"
        "04455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f662073"
        "65636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe55482719"
        "67f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a"
        "4c702b6bf11d5fac00000000"
    )
)
GENESIS_ROOT = bytes.fromhex("3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a")


@pytest.mark.parametrize(
    ("time", "bits", "nonce", "block_hash"),
    [
        (1231006505, 0x1D00FFFF, 2083236893, "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"),
        (1296688602, REGTEST_BITS, 2, "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"),
    ],
)
def test_the_first_blocks_have_their_published_hashes(time: int, bits: int, nonce: int, block_hash: str) -> None:
    header = BlockHeader(1, bytes(32), GENESIS_ROOT, time, bits, nonce)
    assert header.block_hash == block_hash
    assert header.meets_target
    assert BlockHeader.parse(header.serialize()) == header
    assert merkle_root([bytes.fromhex(GENESIS_TRANSACTION.txid)[::-1]]) == GENESIS_ROOT


def test_a_header_above_its_target_is_seen() -> None:
    header = BlockHeader(1, bytes(32), GENESIS_ROOT, 1231006505, 0x1D00FFFF, 2083236893)
    assert not replace(header, nonce=0).meets_target


@pytest.mark.parametrize("size", [0, 79, 81])
def test_refuses_a_header_of_another_length(size: int) -> None:
    with pytest.raises(InvalidInput):
        BlockHeader.parse(bytes(size))


@pytest.mark.parametrize(
    ("bits", "target"),
    [
        (0x1D00FFFF, 0xFFFF << 208),
        (0x207FFFFF, 0x7FFFFF << 232),
        (0x03123456, 0x123456),
        (0x02123456, 0x1234),
        (0x04923456, 0),
        (0x21000001, 0),
    ],
)
def test_compact_targets(bits: int, target: int) -> None:
    assert target_of(bits) == target


def test_an_odd_level_of_the_merkle_tree_repeats_its_last() -> None:
    one, two, three = (bytes([number]) * 32 for number in (1, 2, 3))
    assert merkle_root([one, two, three]) == sha256d(sha256d(one + two) + sha256d(three + three))


@pytest.mark.parametrize(
    ("height", "push"),
    [
        (0, "00"),
        (1, "51"),
        (16, "60"),
        (17, "0111"),
        (127, "017f"),
        (128, "028000"),
        (255, "02ff00"),
        (256, "020001"),
        (32768, "03008000"),
        (840_000, "0340d10c"),
    ],
)
def test_the_coinbase_opens_with_its_height(height: int, push: str) -> None:
    assert height_push(height).hex() == push


def test_the_subsidy_halves_each_150_blocks() -> None:
    assert [regtest_subsidy(height) for height in (0, 149, 150, 300)] == [5_000_000_000] * 2 + [
        2_500_000_000,
        1_250_000_000,
    ]
    assert regtest_subsidy(150 * 64) == 0


def test_the_median_takes_the_last_eleven() -> None:
    assert median_time_past([5]) == 5
    assert median_time_past([1, 9, 5]) == 5
    assert median_time_past([10_000, *range(11)]) == 5


def test_a_mined_block_commits_to_its_transactions() -> None:
    coinbase = coinbase_transaction(7, sats(1000), b"\x51", [])
    assert is_coinbase(coinbase)
    assert not is_coinbase(replace(coinbase, inputs=coinbase.inputs * 2))
    assert coinbase.outputs[1].script_pubkey == witness_commitment_script([])
    assert coinbase.outputs[1].script_pubkey.hex().startswith("6a24aa21a9ed")
    block = mine_block("11" * 32, 5, [coinbase])
    assert block.header.meets_target
    assert block.header.previous == b"\x11" * 32
    assert block == Block(block.header, (coinbase,))
    assert block.serialize() == block.header.serialize() + b"\x01" + coinbase.serialize()
    assert coinbase != coinbase_transaction(7, sats(1000), b"\x51", [], extra=b"x")
