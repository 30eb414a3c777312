"""python-bitcoinlib's txid and signature hash, and libwally's, against those of the first engine."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.bitcoin.amount import Sats
from custody.bitcoin.script import multisig_script
from custody.bitcoin.second_opinion import segwit_v0_sighash, segwit_v0_sighashes, txid_of
from custody.bitcoin.sighash import SegwitV0Hasher
from custody.bitcoin.signatures import SpendScript
from custody.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from custody.codes import Code
from custody.errors import CheckFailed, InvalidInput
from custody.workflow import psbt_files
from support.random_vaults import random_public_key

# The native P2WPKH example of BIP 143, whose second input is the witness one.
BIP143_UNSIGNED = bytes.fromhex(
    "0100000002fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f0000000000eeffffff"
    "ef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff"
    "02202cb206000000001976a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988ac"
    "11000000"
)
BIP143_SCRIPT_CODE = bytes.fromhex("76a9141d0f172a0ecb48aee1be1f2687d2963ae33f71a188ac")
BIP143_DIGEST = "c37af31116d1b27caf68aae9e3ac82f1477929014d5b917657d0eb49478cb670"

INPUTS = st.builds(
    TxInput,
    st.builds(OutPoint, st.binary(min_size=32, max_size=32).map(bytes.hex), st.integers(0, 2**32 - 1)),
    st.just(b""),
    st.integers(0, 2**32 - 1),
    st.just(()),
)
OUTPUTS = st.builds(TxOutput, st.integers(0, 10**14).map(Sats), st.binary(max_size=60))
TRANSACTIONS = st.builds(
    Transaction,
    st.sampled_from((1, 2)),
    st.lists(INPUTS, min_size=1, max_size=5, unique_by=lambda given: given.outpoint).map(tuple),
    st.lists(OUTPUTS, min_size=1, max_size=5).map(tuple),
    st.integers(0, 2**32 - 1),
)


def test_bip143_example() -> None:
    digest = segwit_v0_sighash(BIP143_UNSIGNED, 1, BIP143_SCRIPT_CODE, 600_000_000, 1)
    assert digest.hex() == BIP143_DIGEST
    spent = [(b"\x51", 625_000_000), (BIP143_SCRIPT_CODE, 600_000_000)]
    assert segwit_v0_sighashes(BIP143_UNSIGNED, spent, 1)[1].hex() == BIP143_DIGEST


@settings(max_examples=60, deadline=None)
@given(
    transaction=TRANSACTIONS,
    script=st.binary(min_size=1, max_size=300),
    value=st.integers(0, 10**14),
)
def test_both_engines_give_one_txid_and_one_digest(transaction: Transaction, script: bytes, value: int) -> None:
    raw = transaction.serialize_without_witness()
    assert txid_of(raw) == transaction.txid
    hasher = SegwitV0Hasher(transaction)
    spent = [(script + bytes([number]), value + number) for number in range(len(transaction.inputs))]
    ours = [hasher.digest(number, code, Sats(paid), 1) for number, (code, paid) in enumerate(spent)]
    assert segwit_v0_sighashes(raw, spent, 1) == ours
    assert [segwit_v0_sighash(raw, number, code, paid, 1) for number, (code, paid) in enumerate(spent)] == ours


def test_a_final_transaction_has_every_input_hashed_by_two_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    count = psbt_files.MAX_THIRD_SIGHASHES + 2
    inputs = tuple(TxInput(OutPoint(f"{number:064x}", number), b"", 0xFFFFFFFD) for number in range(1, count + 1))
    unsigned = Transaction(2, inputs, (TxOutput(Sats(1_000), BIP143_SCRIPT_CODE),), 0)
    rng = random.Random(1)  # noqa: S311 (reproducible, not secret)
    multisig = multisig_script(2, sorted(random_public_key(rng) for _ in range(3)))
    scripts = [SpendScript(multisig, Sats(1_000 + number), None) for number in range(count)]
    psbt_files.require_same_sighashes(unsigned, scripts)

    def wrong_at_the_end(raw: bytes, spent: list[tuple[bytes, int]], sighash_type: int) -> list[bytes]:
        return [*segwit_v0_sighashes(raw, spent, sighash_type)[:-1], bytes(32)]

    monkeypatch.setattr(psbt_files, "segwit_v0_sighashes", wrong_at_the_end)
    with pytest.raises(CheckFailed) as refused:
        psbt_files.require_same_sighashes(unsigned, scripts)
    assert refused.value.code is Code.ENGINES_DISAGREE
    assert f"input {count - 1}" in refused.value.message


@pytest.mark.parametrize("raw", [b"", b"\x01", BIP143_UNSIGNED[:-1], BIP143_UNSIGNED + b"\0", b"\xff" * 60])
def test_what_is_no_transaction_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidInput):
        txid_of(raw)
    with pytest.raises(InvalidInput):
        segwit_v0_sighash(raw, 0, b"", 0, 1)
    with pytest.raises(InvalidInput):
        segwit_v0_sighashes(raw, [(b"\x51", 0)], 1)


@pytest.mark.parametrize("spent", [[], [(b"\x51", 1)], [(b"\x51", 1)] * 3, [(b"\x51", -1)] * 2, [(b"\x51", 2**64)] * 2])
def test_spent_outputs_that_do_not_fit_are_refused(spent: list[tuple[bytes, int]]) -> None:
    with pytest.raises(InvalidInput):
        segwit_v0_sighashes(BIP143_UNSIGNED, spent, 1)


@pytest.mark.parametrize("number", [-1, 2])
def test_an_input_that_is_not_there_is_refused(number: int) -> None:
    with pytest.raises(InvalidInput):
        segwit_v0_sighash(BIP143_UNSIGNED, number, b"", 0, 1)


@settings(max_examples=300, deadline=None)
@given(raw=st.binary(max_size=200))
def test_junk_never_raises_anything_else(raw: bytes) -> None:
    try:
        txid_of(raw)
    except InvalidInput:
        return
