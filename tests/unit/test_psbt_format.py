"""PSBTs as files: both versions, the order of fields, unknown fields, conversion, locktimes."""

from dataclasses import replace

import pytest

from custody.bitcoin.psbt import Psbt, RawField, psbt_from_text_or_bytes
from custody.bitcoin.psbt_checks import inspect_inputs, spent_output
from custody.bitcoin.psbt_version import to_version
from custody.bitcoin.transaction import write_bytes
from custody.codes import Code
from custody.errors import InvalidInput
from support.psbt_builder import EXTERNAL_SCRIPT, Change, Coin, Pay, TestVault

PAYMENT = TestVault().payment(
    [Coin(0, 7, 1_000_000), Coin(1, 3, 500_000, segwit_funding=True)],
    [Pay(EXTERNAL_SCRIPT, 600_000), Change(3, 890_000)],
    locktime=850_000,
)
PSBT = PAYMENT.signed(0, 3)
SEPARATOR = b"\x00"


def maps(raw: bytes) -> list[list[tuple[bytes, bytes]]]:
    """Split a PSBT into maps of keys and values, in a reader of the test's own."""
    at, found = 5, []
    while at < len(raw):
        fields: list[tuple[bytes, bytes]] = []
        while raw[at]:
            key_end = at + 1 + raw[at]
            key, at = raw[at + 1 : key_end], key_end
            wide = raw[at] == 0xFD
            start = at + (3 if wide else 1)
            length = int.from_bytes(raw[at + 1 : start], "little") if wide else raw[at]
            fields.append((key, raw[start : start + length]))
            at = start + length
        found.append(fields)
        at += 1
    return found


def joined(parts: list[list[tuple[bytes, bytes]]]) -> bytes:
    """Put maps together again, each in its own order."""
    body = [b"".join(write_bytes(key) + write_bytes(value) for key, value in fields) + SEPARATOR for fields in parts]
    return b"psbt\xff" + b"".join(body)


@pytest.mark.parametrize("version", [0, 2])
def test_new_files_are_written_in_ascending_key_order(version: int) -> None:
    for fields in maps(to_version(PSBT, version).serialize()):
        assert [key for key, _ in fields] == sorted(key for key, _ in fields)


@pytest.mark.parametrize("version", [0, 2])
def test_parsed_values_are_the_written_ones(version: int) -> None:
    written = to_version(PSBT, version)
    assert Psbt.parse(written.serialize()) == written
    assert psbt_from_text_or_bytes(written.to_base64().encode()) == written


@pytest.mark.parametrize("version", [0, 2])
def test_another_order_of_fields_is_kept(version: int) -> None:
    raw = joined([fields[::-1] for fields in maps(to_version(PSBT, version).serialize())])
    parsed = Psbt.parse(raw)
    assert parsed.serialize() == raw
    assert parsed.unsigned_txid == PSBT.unsigned_txid
    assert set(parsed.inputs[0].derivations) == set(PSBT.inputs[0].derivations)


def test_signature_added_to_another_order_stands_with_its_kind() -> None:
    bare = joined([fields[::-1] for fields in maps(PAYMENT.psbt.serialize())])
    parsed = Psbt.parse(bare)
    signed = parsed.with_input(0, replace(parsed.inputs[0], partial_signatures=PSBT.inputs[0].partial_signatures))
    assert Psbt.parse(signed.serialize()).inputs[0].partial_signatures == PSBT.inputs[0].partial_signatures
    kept = [pair for pair in maps(signed.serialize())[1] if pair[0][0] != 0x02]
    assert kept == maps(bare)[1]


def shapes() -> list[Psbt]:
    """Return version 0 files of every shape that conversion has to bring back."""
    reversed_order = Psbt.parse(joined([fields[::-1] for fields in maps(PSBT.serialize())]))
    xpubs_first = maps(PSBT.serialize())
    xpubs_first[0] = [*xpubs_first[0][1:], xpubs_first[0][0]]
    stated = replace(PSBT, states_version_zero=True)
    first, *rest = maps(stated.serialize())
    version_first = joined([[first[-1], *first[:-1]], *rest])
    late = replace(PSBT, unknown=(RawField(b"\xfd\x00\x01", b"x"), RawField(b"\xfc\x01a\x00", b"y")))
    empty = replace(PSBT, inputs=(), outputs=(), global_xpubs=())
    return [PSBT, reversed_order, Psbt.parse(joined(xpubs_first)), stated, Psbt.parse(version_first), late, empty]


@pytest.mark.parametrize("number", range(7))
def test_version_0_to_2_and_back_gives_the_same_bytes(number: int) -> None:
    psbt = shapes()[number]
    raw = psbt.serialize()
    assert Psbt.parse(raw).serialize() == raw
    there = to_version(psbt, 2)
    assert there.unsigned_txid == psbt.unsigned_txid
    assert to_version(there, 0).serialize() == raw
    read_back = Psbt.parse(there.serialize())
    assert read_back.serialize() == there.serialize()
    assert to_version(read_back, 0).serialize() == raw


def test_version_2_without_sequence_and_locktime_means_their_defaults() -> None:
    bare = replace(
        to_version(PSBT, 2),
        fallback_locktime=None,
        inputs=tuple(replace(one, stated_sequence=None) for one in PSBT.inputs),
    )
    assert Psbt.parse(bare.serialize()) == bare
    converted = to_version(bare, 0)
    assert converted.locktime == 0
    assert {one.sequence for one in converted.inputs} == {0xFFFFFFFF}
    assert converted.unsigned_txid == bare.unsigned_txid


@pytest.mark.parametrize("flags", [1, 2, 4, 7, 0x80])
def test_modifiable_flags_cannot_be_said_in_version_0(flags: int) -> None:
    _refuse_conversion(replace(to_version(PSBT, 2), tx_modifiable=flags))


@pytest.mark.parametrize("field", ["required_time_locktime", "required_height_locktime"])
def test_required_locktimes_cannot_be_said_in_version_0(field: str) -> None:
    psbt = to_version(PSBT, 2)
    locked = replace(psbt.inputs[0], **{field: 500_000_001 if "time_l" in field else 850_000})  # type: ignore[arg-type]
    _refuse_conversion(psbt.with_input(0, locked))


def _refuse_conversion(psbt: Psbt) -> None:
    with pytest.raises(InvalidInput) as refused:
        to_version(psbt, 0)
    assert refused.value.code is Code.PSBT_CONVERSION_LOSSY


def test_cleared_flags_can_be_said_in_version_0() -> None:
    assert to_version(replace(to_version(PSBT, 2), tx_modifiable=0), 0) == PSBT


def test_there_is_no_version_1() -> None:
    with pytest.raises(InvalidInput) as refused:
        to_version(PSBT, 1)
    assert refused.value.code is Code.UNSUPPORTED_PSBT_VERSION


def test_locktimes_of_height_and_time_conflict() -> None:
    psbt = to_version(PSBT, 2)
    one = replace(psbt.inputs[0], required_height_locktime=850_000)
    two = replace(psbt.inputs[1], required_time_locktime=1_700_000_000)
    both = psbt.with_input(0, one).with_input(1, two)
    with pytest.raises(InvalidInput) as refused:
        Psbt.parse(both.serialize())
    assert refused.value.code is Code.LOCKTIME_CONFLICT


def test_locktime_prefers_height_and_takes_the_highest() -> None:
    psbt = to_version(PSBT, 2)
    one = replace(psbt.inputs[0], required_height_locktime=850_001, required_time_locktime=1_700_000_000)
    two = replace(psbt.inputs[1], required_height_locktime=850_002, required_time_locktime=1_700_000_001)
    assert psbt.with_input(0, one).with_input(1, two).locktime == 850_002
    assert psbt.with_input(0, replace(one, required_height_locktime=None)).with_input(1, two).locktime == 1_700_000_001
    assert psbt.with_input(0, one).locktime == 850_001
    assert psbt.locktime == 850_000


def test_a62_unknown_fields_are_listed_and_kept_to_the_byte() -> None:
    extra = (RawField(b"\xf0\x01", b"x" * 300), RawField(b"\xfc\x05vault\x07k", b""), RawField(b"\xfd\x10\x01", b"y"))
    for version in (0, 2):
        psbt = to_version(PSBT, version)
        full = replace(psbt, unknown=extra).with_input(1, replace(psbt.inputs[1], unknown=extra[:1]))
        full = full.with_output(0, replace(full.outputs[0], unknown=extra[1:]))
        parsed = Psbt.parse(full.serialize())
        assert parsed == full
        assert parsed.unknown_count == 6
        assert parsed.serialize() == full.serialize()


def test_inputs_that_agree_with_themselves_have_no_findings() -> None:
    assert inspect_inputs(PSBT) == ()
    assert spent_output(PSBT.inputs[0]) == PAYMENT.spent_outputs[0]


def test_a31_a32_a33_inputs_that_contradict_themselves() -> None:
    own, other = PSBT.inputs
    assert own.witness_utxo is not None
    cases = [
        (replace(own, non_witness_utxo=other.non_witness_utxo), Code.PREVTX_TXID_MISMATCH),
        (replace(own, outpoint=replace(own.outpoint, vout=2)), Code.PREVOUT_INDEX_OUT_OF_RANGE),
        (replace(own, witness_utxo=other.witness_utxo), Code.UTXO_MISMATCH),
        (replace(own, witness_script=other.witness_script), Code.WITNESS_SCRIPT_MISMATCH),
        (replace(own, redeem_script=own.witness_utxo.script_pubkey), Code.UNEXPECTED_REDEEM_SCRIPT),
        (replace(own, witness_utxo=None, non_witness_utxo=None), Code.MISSING_NON_WITNESS_UTXO),
    ]
    for lie, code in cases:
        assert [finding.code for finding in inspect_inputs(PSBT.with_input(0, lie))] == [code]
