"""Transactions: strict reading, exact writing, sizes; and the digests that signatures commit to."""

from dataclasses import replace

import bitcoin.core
import bitcoin.core.script
import pytest

from custody.bitcoin.amount import Sats
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.sighash import SegwitV0Hasher
from custody.bitcoin.size import output_weight, worst_case_input_weight, worst_case_vsize, worst_case_weight
from custody.bitcoin.transaction import ByteReader, OutPoint, Transaction, TxInput, TxOutput, write_compact_size
from custody.codes import Code
from custody.errors import InvalidInput
from support.psbt_builder import EXTERNAL_SCRIPT, Change, Coin, Pay, TestVault, bip143_digest

PAYMENT = TestVault().payment(
    [Coin(0, 7, 1_000_000), Coin(1, 3, 500_000)], [Pay(EXTERNAL_SCRIPT, 600_000), Change(3, 890_000)]
)
FINAL = PAYMENT.finalized(0, 1, 2)
RAW = FINAL.serialize()
TXID = "ab" * 31 + "cd"


def refused(raw: bytes) -> Code:
    """Return the code with which `raw` is refused."""
    with pytest.raises(InvalidInput) as caught:
        Transaction.parse(raw)
    return caught.value.code


def test_transaction_comes_back_to_the_byte() -> None:
    parsed = Transaction.parse(RAW)
    assert parsed == FINAL
    assert parsed.serialize() == RAW
    assert replace(parsed, locktime=0).serialize() == RAW


def test_ids_and_sizes_agree_with_another_implementation() -> None:
    other = bitcoin.core.CTransaction.deserialize(RAW)
    assert FINAL.txid == other.GetTxid()[::-1].hex()
    assert FINAL.wtxid == other.GetHash()[::-1].hex()
    assert FINAL.weight == other.calc_weight()
    assert FINAL.vsize == -(-FINAL.weight // 4)
    stripped = replace(FINAL, inputs=tuple(replace(one, witness=()) for one in FINAL.inputs))
    assert stripped.wtxid == stripped.txid == FINAL.txid


def test_every_truncation_and_trailing_byte_is_refused() -> None:
    for length in range(len(RAW)):
        assert refused(RAW[:length]) is Code.MALFORMED_TRANSACTION
    assert refused(RAW + b"\x00") is Code.MALFORMED_TRANSACTION


def test_transaction_without_inputs_is_refused_outside_a_psbt() -> None:
    bare = bytes(4) + b"\x00" + b"\x00" + bytes(4)
    assert refused(bare) is Code.MALFORMED_TRANSACTION
    assert Transaction.parse_without_witness(bare).inputs == ()


@pytest.mark.parametrize("value", [-1, 2_100_000_000_000_001])
def test_amount_out_of_range_is_refused(value: int) -> None:
    raw = RAW.replace((600_000).to_bytes(8, "little"), value.to_bytes(8, "little", signed=True))
    assert refused(raw) is Code.AMOUNT_OUT_OF_RANGE
    with pytest.raises(InvalidInput):
        TxOutput(Sats(value), b"")


@pytest.mark.parametrize("version", [-(2**31), -1, 0, 1, 2, 3, 2**31 - 1])
def test_version_is_signed(version: int) -> None:
    assert Transaction.parse(replace(FINAL, version=version).serialize()).version == version


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, "00"), (0xFC, "fc"), (0xFD, "fdfd00"), (0xFFFF, "fdffff"), (0x10000, "fe00000100"),
     (0xFFFFFFFF, "feffffffff"), (2**32, "ff0000000001000000"), (2**64 - 1, "ffffffffffffffffff")],
)  # fmt: skip
def test_compact_sizes(value: int, encoded: str) -> None:
    assert write_compact_size(value).hex() == encoded
    assert ByteReader(bytes.fromhex(encoded), Code.MALFORMED_TRANSACTION).compact_size() == value


@pytest.mark.parametrize("encoded", ["fdfc00", "fd0000", "feffff0000", "ffffffffff00000000", "fd00", "fe", "ff00"])
def test_compact_sizes_in_a_longer_form_or_cut_short(encoded: str) -> None:
    with pytest.raises(InvalidInput):
        ByteReader(bytes.fromhex(encoded), Code.MALFORMED_TRANSACTION).compact_size()


def test_outpoint_is_written_as_displayed() -> None:
    outpoint = OutPoint.parse(f"{TXID}:7")
    assert str(outpoint) == f"{TXID}:7"
    assert outpoint.to_bytes() == bytes.fromhex(TXID)[::-1] + b"\x07\x00\x00\x00"
    assert OutPoint.from_bytes(outpoint.to_bytes()) == outpoint


@pytest.mark.parametrize(
    "text",
    ["", TXID, f"{TXID}:", f"{TXID}:-1", f"{TXID}:01", f"{TXID}:4294967296", f"{TXID.upper()}:0", f" {TXID}:0",
     f"{TXID}:0\n", f"{TXID[:-2]}:0", f"{TXID}:٣"],
)  # fmt: skip
def test_malformed_outpoints_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        OutPoint.parse(text)


def test_digest_agrees_with_two_other_implementations() -> None:
    unsigned = PAYMENT.psbt.unsigned_transaction()
    other = bitcoin.core.CTransaction.deserialize(unsigned.serialize())
    hasher = SegwitV0Hasher(unsigned)
    for index, script in enumerate(PAYMENT.scripts):
        digest = hasher.digest(index, script.witness_script, script.value)
        assert digest == bip143_digest(unsigned, index, script.witness_script, script.value, 1)
        assert digest == bitcoin.core.script.SignatureHash(
            bitcoin.core.script.CScript(script.witness_script),
            other,
            index,
            bitcoin.core.script.SIGHASH_ALL,
            amount=script.value,
            sigversion=bitcoin.core.script.SIGVERSION_WITNESS_V0,
        )


def test_digest_of_any_other_type_is_refused() -> None:
    hasher = SegwitV0Hasher(PAYMENT.psbt.unsigned_transaction())
    for sighash in (0, 2, 3, 0x81):
        with pytest.raises(InvalidInput) as caught:
            hasher.digest(0, PAYMENT.scripts[0].witness_script, 1, sighash)
        assert caught.value.code is Code.SIGHASH_NOT_ALL


@pytest.mark.parametrize("script_type", list(ScriptType))
@pytest.mark.parametrize(("threshold", "key_count"), [(1, 1), (2, 3), (3, 5), (7, 15), (15, 15)])
@pytest.mark.parametrize("input_count", [1, 3, 253])
def test_worst_case_size_is_the_size_with_the_longest_signatures(
    script_type: ScriptType, threshold: int, key_count: int, input_count: int
) -> None:
    script = bytes(3 + 34 * key_count)
    script_sig = bytes(35) if script_type is ScriptType.SH_WSH_SORTEDMULTI else b""
    witness = (b"", *[bytes(72)] * threshold, script)
    spend = TxInput(OutPoint(TXID, 0), script_sig, 0, witness)
    outputs = (EXTERNAL_SCRIPT, bytes(34), bytes(300))
    worst = Transaction(2, (spend,) * input_count, tuple(TxOutput(Sats(1), one) for one in outputs), 0)
    sizes = {"threshold": threshold, "key_count": key_count, "script_type": script_type}
    assert worst.weight == worst_case_weight(input_count, outputs, **sizes)  # type: ignore[arg-type]
    assert worst.vsize == worst_case_vsize(input_count, outputs, **sizes)  # type: ignore[arg-type]
    assert worst_case_input_weight(**sizes) == 4 * (41 + len(script_sig)) + len(_witness_bytes(witness))  # type: ignore[arg-type]
    assert output_weight(EXTERNAL_SCRIPT) == 4 * 31


def _witness_bytes(items: tuple[bytes, ...]) -> bytes:
    return bytes((len(items),)) + b"".join(write_compact_size(len(item)) + item for item in items)


def test_real_spends_are_never_larger_than_the_worst_case() -> None:
    scripts = [output.script_pubkey for output in PAYMENT.psbt.outputs]
    worst = worst_case_weight(2, scripts, threshold=3, key_count=5, script_type=ScriptType.WSH_SORTEDMULTI)
    assert worst - 2 * 3 * 2 <= FINAL.weight <= worst
