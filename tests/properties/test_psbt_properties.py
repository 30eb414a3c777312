"""Properties of the PSBT reader: it takes nothing that it would not write, and only ever refuses in our own words."""

import random
from dataclasses import replace

import pytest
from btclib_wallet.psbt import Psbt as BtclibPsbt
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.bitcoin.keys import KeyOrigin
from custody.bitcoin.psbt import (
    KeyDerivation,
    PartialSignature,
    Psbt,
    PsbtInput,
    PsbtOutput,
    RawField,
    psbt_from_text_or_bytes,
)
from custody.bitcoin.psbt_checks import inspect_inputs
from custody.bitcoin.psbt_version import to_version
from custody.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from custody.errors import CustodyError
from support.psbt_builder import EXTERNAL_SCRIPT, Change, Coin, Pay, TestVault

VAULT = TestVault(2, 3)
SIGNED = VAULT.payment([Coin(0, 0, 100_000)], [Pay(EXTERNAL_SCRIPT, 60_000), Change(0, 39_000)]).signed(0, 1)
RAW = {version: to_version(SIGNED, version).serialize() for version in (0, 2)}
KEYS = VAULT.at(0, 0).public_keys + VAULT.at(1, 5).public_keys

uint32 = st.integers(0, 2**32 - 1)
short = st.binary(max_size=40)
outpoints = st.builds(OutPoint, st.binary(min_size=32, max_size=32).map(bytes.hex), uint32)
tx_outputs = st.builds(TxOutput, st.integers(0, 2_100_000_000_000_000), st.binary(max_size=300))
witnesses = st.lists(short, max_size=3).map(tuple)
tx_inputs = st.builds(TxInput, outpoints, short, uint32, witnesses)
versions = st.integers(-(2**31), 2**31 - 1)
transactions = st.builds(
    Transaction,
    versions,
    st.lists(tx_inputs, min_size=1, max_size=3).map(tuple),
    st.lists(tx_outputs).map(tuple),
    uint32,
)
origins = st.builds(KeyOrigin, st.binary(min_size=4, max_size=4), st.lists(uint32, max_size=6).map(tuple))


def _by_key(entries: dict[bytes, object]) -> tuple[object, ...]:
    return tuple(entries[key] for key in sorted(entries))


def keyed(kind: type, values: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    """Return derivations or signatures, one per key, ascending."""
    chosen = st.dictionaries(st.sampled_from(KEYS), values, max_size=4)
    return chosen.map(lambda entries: _by_key({key: kind(key, value) for key, value in entries.items()}))


unknown_fields = st.dictionaries(st.integers(0x40, 0xFA), short, max_size=3).map(
    lambda entries: tuple(RawField(bytes((kind,)), entries[kind]) for kind in sorted(entries))
)
inputs = st.builds(
    PsbtInput,
    outpoint=outpoints,
    stated_sequence=uint32,
    non_witness_utxo=st.none() | transactions,
    witness_utxo=st.none() | tx_outputs,
    partial_signatures=keyed(PartialSignature, short),
    sighash_type=st.none() | uint32,
    redeem_script=st.none() | short,
    witness_script=st.none() | short,
    derivations=keyed(KeyDerivation, origins),
    final_script_sig=st.none() | short,
    final_script_witness=st.none() | witnesses,
    unknown=unknown_fields,
)
outputs = st.builds(
    PsbtOutput,
    value=st.integers(0, 2_100_000_000_000_000),
    script_pubkey=st.binary(max_size=60),
    redeem_script=st.none() | short,
    witness_script=st.none() | short,
    derivations=keyed(KeyDerivation, origins),
    unknown=unknown_fields,
)
psbts = st.builds(
    Psbt,
    version=st.just(0),
    tx_version=versions,
    fallback_locktime=uint32,
    inputs=st.lists(inputs, max_size=3).map(tuple),
    outputs=st.lists(outputs, max_size=3).map(tuple),
    unknown=unknown_fields,
    states_version_zero=st.booleans(),
)


@settings(max_examples=150, deadline=None)
@given(psbts)
def test_what_is_written_reads_back_as_the_same_values(psbt: Psbt) -> None:
    raw = psbt.serialize()
    parsed = Psbt.parse(raw)
    assert parsed == psbt
    assert parsed.serialize() == raw


@settings(max_examples=100, deadline=None)
@given(psbts)
def test_version_0_to_2_and_back(psbt: Psbt) -> None:
    there = Psbt.parse(to_version(psbt, 2).serialize())
    assert there.unsigned_txid == psbt.unsigned_txid
    assert to_version(there, 0).serialize() == psbt.serialize()


@settings(max_examples=150, deadline=None)
@given(transactions)
def test_transactions_read_back_as_the_same_values(transaction: Transaction) -> None:
    raw = transaction.serialize()
    parsed = Transaction.parse(raw)
    assert parsed == transaction
    assert replace(parsed, locktime=parsed.locktime).serialize() == raw


@pytest.mark.parametrize("version", [0, 2])
def test_every_single_byte_mutation_is_refused_or_comes_back(version: int) -> None:
    raw = RAW[version]
    rng = random.Random(70)  # noqa: S311 (seeded, to choose mutations)
    for at in range(len(raw)):
        for other in {0x00, 0xFD, rng.randrange(256)} - {raw[at]}:
            mutated = raw[:at] + bytes((other,)) + raw[at + 1 :]
            try:
                assert Psbt.parse(mutated).serialize() == mutated
            except CustodyError:
                continue


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([0, 2]), st.data())
def test_spliced_files_are_refused_or_come_back(version: int, data: st.DataObject) -> None:
    raw = RAW[version]
    start = data.draw(st.integers(5, len(raw)))
    end = data.draw(st.integers(start, min(len(raw), start + 80)))
    spliced = raw[:start] + data.draw(st.binary(max_size=80)) + raw[end:]
    try:
        assert Psbt.parse(spliced).serialize() == spliced
    except CustodyError:
        return


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", b"psbt\xff", b"psbt\xff\x01\x00", b"cHNidP8"]))
def test_random_bytes_raise_nothing_but_our_errors(data: bytes, head: bytes) -> None:
    try:
        psbt_from_text_or_bytes(head + data)
    except CustodyError:
        return


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_are_no_transaction_or_come_back(data: bytes) -> None:
    try:
        parsed = Transaction.parse(data)
    except CustodyError:
        return
    assert replace(parsed, locktime=parsed.locktime).serialize() == data


@pytest.mark.parametrize("version", [0, 2])
def test_a72_what_we_accept_another_strict_reader_reads_the_same_way(version: int) -> None:
    raw = RAW[version]
    rng = random.Random(72)  # noqa: S311 (seeded, to choose mutations)
    compared = 0
    for at in range(len(raw)):
        mutated = raw[:at] + bytes((raw[at] ^ rng.randrange(1, 256),)) + raw[at + 1 :]
        try:
            ours = Psbt.parse(mutated)
        except CustodyError:
            continue
        if inspect_inputs(ours) or _signatures_of(ours) != _signatures_of(SIGNED):
            continue  # the other reader refuses these while parsing, we in the checks
        theirs = BtclibPsbt.parse(mutated)
        assert theirs.tx.serialize(include_witness=False, check_validity=False) == (
            ours.unsigned_transaction().serialize_without_witness()
        )
        compared += 1
    assert compared > 500


def _signatures_of(psbt: Psbt) -> set[bytes]:
    return {entry.signature for one in psbt.inputs for entry in one.partial_signatures}
