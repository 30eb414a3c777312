"""python-bitcoinlib's txid and signature hash against those of the first engine."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.bitcoin.amount import Sats
from custody.bitcoin.second_opinion import segwit_v0_sighash, txid_of
from custody.bitcoin.sighash import SegwitV0Hasher
from custody.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from custody.errors import InvalidInput

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


@settings(max_examples=60, deadline=None)
@given(
    transaction=TRANSACTIONS,
    script=st.binary(max_size=300),
    value=st.integers(0, 10**14),
)
def test_both_engines_give_one_txid_and_one_digest(transaction: Transaction, script: bytes, value: int) -> None:
    raw = transaction.serialize_without_witness()
    assert txid_of(raw) == transaction.txid
    hasher = SegwitV0Hasher(transaction)
    for number in range(len(transaction.inputs)):
        ours = hasher.digest(number, script, Sats(value), 1)
        assert segwit_v0_sighash(raw, number, script, value, 1) == ours


@pytest.mark.parametrize("raw", [b"", b"\x01", BIP143_UNSIGNED[:-1], BIP143_UNSIGNED + b"\0", b"\xff" * 60])
def test_what_is_no_transaction_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidInput):
        txid_of(raw)
    with pytest.raises(InvalidInput):
        segwit_v0_sighash(raw, 0, b"", 0, 1)


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
