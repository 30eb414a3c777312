"""A70 to A72: malformed PSBTs, PSBTs that exhaust a reader, and readers that disagree. One lie each."""

import struct
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import pytest

from custody.bitcoin.psbt import Psbt, RawField, psbt_from_text_or_bytes
from custody.bitcoin.psbt_reader import MAX_BYTES, MAX_FIELDS, MAX_INPUTS, MAX_UNKNOWN_FIELDS
from custody.bitcoin.psbt_version import to_version
from custody.bitcoin.transaction import write_bytes, write_compact_size
from custody.codes import Code
from custody.errors import InvalidInput, SecretRefused
from support.psbt_builder import EXTERNAL_SCRIPT, Change, Coin, Pay, TestVault

PAYMENT = TestVault().payment([Coin(0, 0, 100_000)], [Pay(EXTERNAL_SCRIPT, 60_000), Change(0, 39_000)])
SIGNED = PAYMENT.signed(0, 1)
RAW = SIGNED.serialize()
RAW_V2 = to_version(SIGNED, 2).serialize()
UNSIGNED = PAYMENT.psbt.unsigned_transaction().serialize_without_witness()
MAGIC = b"psbt\xff"
XPRV = bytes.fromhex("0488ade4") + bytes(41) + b"\x00" + b"\x11" * 32
TPRV_TEXT = (
    b"tprv8ZgxMBicQKsPd9TeAdPADNnSyH9SSUUbTVeFszDE23Ki6TBB5nCefAdHkK8Fm3qMQR6sHwA56zqRmKmxnHk37JkiFzvncDqoKmPWubu7hDF"
)


def field(key: bytes, value: bytes) -> bytes:
    """Return one serialized key and value."""
    return write_bytes(key) + write_bytes(value)


def refusal(raw: bytes) -> Code:
    """Return the code with which the reader refuses `raw`."""
    with pytest.raises(InvalidInput) as refused:
        Psbt.parse(raw)
    return refused.value.code


def in_global(extra: bytes, raw: bytes = RAW) -> bytes:
    """Put serialized fields at the front of the global map."""
    return raw[:5] + extra + raw[5:]


def in_last_map(extra: bytes, raw: bytes = RAW) -> bytes:
    """Put serialized fields at the end of the last output's map."""
    return raw[:-1] + extra + raw[-1:]


def test_a70_sound_files_are_accepted() -> None:
    assert Psbt.parse(RAW) == SIGNED
    assert Psbt.parse(RAW_V2).unsigned_txid == SIGNED.unsigned_txid


def test_a70_every_truncation_is_refused() -> None:
    for length in range(len(RAW)):
        assert refusal(RAW[:length]) is Code.MALFORMED_PSBT


@pytest.mark.parametrize("tail", [b"\x00", b"\x01", RAW])
def test_a70_trailing_bytes(tail: bytes) -> None:
    assert refusal(RAW + tail) is Code.MALFORMED_PSBT


def test_a70_duplicate_key() -> None:
    assert refusal(in_global(field(b"\x00", UNSIGNED))) is Code.MALFORMED_PSBT
    twice = field(b"\xf0\x01", b"a") + field(b"\xf0\x01", b"b")
    assert refusal(in_last_map(twice)) is Code.MALFORMED_PSBT


@pytest.mark.parametrize("size", [b"\xfd\x02\x00", b"\xfe\x02\x00\x00\x00", b"\xff\x02" + bytes(7)])
def test_a70_compact_size_in_a_longer_form(size: bytes) -> None:
    assert refusal(in_last_map(size + b"\xf0\x01" + b"\x00")) is Code.MALFORMED_PSBT
    assert refusal(in_last_map(b"\x02\xf0\x01" + size + b"ab")) is Code.MALFORMED_PSBT


def test_a70_compact_size_in_a_longer_form_inside_the_transaction() -> None:
    stretched = UNSIGNED[:4] + b"\xfd\x01\x00" + UNSIGNED[5:]
    raw = RAW.replace(write_bytes(UNSIGNED), write_bytes(stretched))
    assert refusal(raw) is Code.MALFORMED_PSBT


@pytest.mark.parametrize("key_type", [0x02, 0x03, 0x04, 0x05, 0x06])
def test_a70_version_2_field_in_version_0(key_type: int) -> None:
    assert refusal(in_global(field(bytes((key_type,)), bytes(4)))) is Code.MALFORMED_PSBT


@pytest.mark.parametrize("key_type", [0x03, 0x04])
def test_a70_version_2_output_field_in_version_0(key_type: int) -> None:
    assert refusal(in_last_map(field(bytes((key_type,)), bytes(8)))) is Code.MALFORMED_PSBT


def test_a70_unsigned_transaction_in_version_2() -> None:
    assert refusal(in_global(field(b"\x00", UNSIGNED), RAW_V2)) is Code.MALFORMED_PSBT


@pytest.mark.parametrize("version", [1, 3, 0xFFFFFFFF])
def test_a70_unknown_version(version: int) -> None:
    assert refusal(in_global(field(b"\xfb", struct.pack("<I", version)))) is Code.UNSUPPORTED_PSBT_VERSION


@pytest.mark.parametrize(
    "bad",
    [
        field(b"\xfb\x00", bytes(4)),
        field(b"\xfb", bytes(3)),
        field(b"\x01" + bytes(77), bytes(4)),
        field(b"\xfc", b"no identifier"),
        field(b"\xfc\x05abc", b"identifier too short"),
        field(b"\xfd\x10\x00", b"key type in a longer form"),
    ],
    ids=["version-key", "version-value", "xpub-key", "proprietary-empty", "proprietary-short", "key-type"],
)
def test_a70_wrong_lengths_in_the_global_map(bad: bytes) -> None:
    assert refusal(in_global(bad)) is Code.MALFORMED_PSBT


@pytest.mark.parametrize(
    "bad",
    [
        field(b"\x00\x00", b""),
        field(b"\x02", bytes(8)),
        field(b"\x02" + bytes(33), bytes(8)),
        field(b"\x02\x02" + b"\x11" * 31, bytes(8)),
        field(b"\x02" + EXTERNAL_SCRIPT, bytes(8)),
    ],
    ids=["redeem-key", "derivation-bare", "derivation-null-key", "derivation-short-key", "derivation-no-key"],
)
def test_a70_wrong_keys_in_an_output(bad: bytes) -> None:
    assert refusal(in_last_map(bad)) is Code.MALFORMED_PSBT


@pytest.mark.parametrize("length", [0, 3, 5, 6])
def test_a70_derivation_of_a_wrong_length(length: int) -> None:
    key = PAYMENT.vault.at(0, 900).public_keys[0]
    assert refusal(in_last_map(field(b"\x02" + key, bytes(length)))) is Code.MALFORMED_PSBT


def test_a70_scriptsig_in_the_unsigned_transaction() -> None:
    filled = UNSIGNED[:41] + b"\x01\x51" + UNSIGNED[42:]
    assert refusal(RAW.replace(write_bytes(UNSIGNED), write_bytes(filled))) is Code.MALFORMED_PSBT


def test_a70_previous_transaction_with_an_empty_witness() -> None:
    funding = PAYMENT.psbt.inputs[0].non_witness_utxo
    assert funding is not None
    raw = funding.serialize()
    superfluous = raw[:4] + b"\x00\x01" + raw[4:-4] + b"\x00" + raw[-4:]
    assert refusal(RAW.replace(write_bytes(raw), write_bytes(superfluous))) is Code.MALFORMED_PSBT


@pytest.mark.parametrize("amount", [-1, 21_000_000 * 100_000_000 + 1, -(2**63)])
def test_a44_amount_out_of_range(amount: int) -> None:
    honest, lie = struct.pack("<q", 60_000), struct.pack("<q", amount)
    assert refusal(RAW.replace(honest, lie)) is Code.AMOUNT_OUT_OF_RANGE
    assert refusal(RAW_V2.replace(honest, lie)) is Code.AMOUNT_OUT_OF_RANGE


@pytest.mark.parametrize("key_type", [0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x1A, 0x1B, 0x1C, 0x1D, 0x0A])
def test_a70_input_fields_that_are_not_built(key_type: int) -> None:
    with_field = SIGNED.with_input(0, replace(SIGNED.inputs[0], unknown=(RawField(bytes((key_type, 1)), b"x"),)))
    assert refusal(with_field.serialize()) is Code.UNSUPPORTED_PSBT_FIELD


@pytest.mark.parametrize("key_type", [0x05, 0x06, 0x07, 0x08, 0x09, 0x35])
def test_a70_output_fields_that_are_not_built(key_type: int) -> None:
    assert refusal(in_last_map(field(bytes((key_type, 1)), b"x"))) is Code.UNSUPPORTED_PSBT_FIELD


@pytest.mark.parametrize(
    "bend", [lambda t: t + b"=", lambda t: t[:-1], lambda t: t[:40] + b"\n" + t[40:], lambda t: t[:40] + b"-" + t[41:]]
)
def test_a70_damaged_base64(bend: Callable[[bytes], bytes]) -> None:
    text = SIGNED.to_base64().encode()
    assert psbt_from_text_or_bytes(b" \n" + text + b"\r\n") == SIGNED
    with pytest.raises(InvalidInput) as refused:
        psbt_from_text_or_bytes(bend(text))
    assert refused.value.code is Code.MALFORMED_PSBT


@pytest.mark.parametrize("data", [b"", b"psbt", b"PSBT\xff\x00", b"hello", UNSIGNED, RAW.hex().encode()])
def test_a70_what_is_no_psbt(data: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        psbt_from_text_or_bytes(data)
    assert refused.value.code is Code.MALFORMED_PSBT


@pytest.mark.parametrize(
    "secret", [XPRV, b"\x09" * 7 + XPRV + b"\x09", b"seed: " + TPRV_TEXT], ids=["raw", "inside", "text"]
)
def test_a70_private_key_in_an_unknown_field(secret: bytes) -> None:
    for raw in (in_global(field(b"\xf0\x01", secret)), in_last_map(field(b"\xfc\x01a\x00" + secret, b""))):
        with pytest.raises(SecretRefused) as refused:
            Psbt.parse(raw)
        assert refused.value.code is Code.SECRET_MATERIAL
        assert secret.hex() not in refused.value.message


def test_a70_private_key_as_account_key() -> None:
    xpub = PAYMENT.psbt.global_xpubs[0]
    by_version = bytes.fromhex("04358394") + xpub.key78[4:]
    by_key = xpub.key78[:45] + b"\x00" + b"\x11" * 32
    for secret in (by_version, by_key):
        with pytest.raises(SecretRefused):
            Psbt.parse(replace(SIGNED, global_xpubs=(replace(xpub, key78=secret),)).serialize())


def test_a70_account_key_whose_path_contradicts_its_depth() -> None:
    xpub = PAYMENT.psbt.global_xpubs[0]
    shorter = replace(xpub, origin=replace(xpub.origin, path=xpub.origin.path[:-1]))
    assert refusal(replace(SIGNED, global_xpubs=(shorter,)).serialize()) is Code.MALFORMED_PSBT


# A71: what a file declares costs nothing until the bytes are there.


@pytest.mark.parametrize("size", [2**64 - 1, 2**62, 2**32, 2**31])
def test_a71_huge_lengths_are_refused_before_allocation(size: int) -> None:
    declared = write_compact_size(size)
    bodies = [
        MAGIC + declared,
        MAGIC + b"\x01\x00" + declared,
        MAGIC + field(b"\x00", struct.pack("<i", 2) + declared) + b"\x00",
        MAGIC + field(b"\x00", struct.pack("<i", 2) + b"\x00" + declared) + b"\x00",
        MAGIC + field(b"\x00", UNSIGNED) + b"\x00" + field(b"\x08", declared) + b"\x00",
    ]
    tracemalloc.start()
    try:
        for body in bodies:
            assert refusal(body) in (Code.MALFORMED_PSBT, Code.PSBT_TOO_LARGE)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("count", [2**62, 2**31, MAX_INPUTS + 1])
@pytest.mark.parametrize("key_type", [0x04, 0x05])
def test_a71_huge_counts_in_version_2(count: int, key_type: int) -> None:
    counts = {0x04: b"\x01", 0x05: b"\x01", key_type: write_compact_size(count)}
    head = MAGIC + field(b"\x02", struct.pack("<i", 2)) + field(b"\xfb", struct.pack("<I", 2))
    body = head + b"".join(field(bytes((kind,)), value) for kind, value in counts.items()) + b"\x00"
    assert refusal(body) is Code.PSBT_TOO_LARGE


def test_a71_counts_beyond_the_bytes_left() -> None:
    head = MAGIC + field(b"\x02", struct.pack("<i", 2)) + field(b"\xfb", struct.pack("<I", 2))
    body = head + field(b"\x04", write_compact_size(9_000)) + field(b"\x05", b"\x01") + b"\x00"
    assert refusal(body) is Code.MALFORMED_PSBT


def test_a71_too_many_bytes() -> None:
    padded = RAW + bytes(MAX_BYTES)
    assert refusal(padded) is Code.PSBT_TOO_LARGE


def test_a71_too_many_unknown_fields() -> None:
    most = tuple(RawField(b"\xf0" + number.to_bytes(4, "big"), b"") for number in range(MAX_UNKNOWN_FIELDS + 1))
    assert len(Psbt.parse(replace(SIGNED, unknown=most[:-1]).serialize()).unknown) == MAX_UNKNOWN_FIELDS
    assert refusal(replace(SIGNED, unknown=most).serialize()) is Code.PSBT_TOO_LARGE


def test_a71_too_many_fields() -> None:
    many = b"".join(b"\x05\xf0" + number.to_bytes(4, "big") + b"\x00" for number in range(MAX_FIELDS + 1))
    assert refusal(in_global(many)) is Code.PSBT_TOO_LARGE


def test_a71_a_flood_of_tiny_fields_is_cut_off_early() -> None:
    many = b"".join(b"\x05\xf0" + number.to_bytes(4, "big") + b"\x00" for number in range(1_000_000))
    tracemalloc.start()
    try:
        assert refusal(MAGIC + many) is Code.PSBT_TOO_LARGE
        assert tracemalloc.get_traced_memory()[1] < 128_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("part", ["inputs", "outputs", "witness"])
def test_a71_transactions_of_countless_parts(part: str) -> None:
    count = 300_000
    inputs = write_compact_size(count) + bytes(41 * count) if part == "inputs" else b"\x01" + bytes(41)
    outputs = write_compact_size(count) + bytes(9 * count) if part == "outputs" else b"\x01" + bytes(9)
    witness = write_compact_size(count) + bytes(count)
    funding = bytes(4) + b"\x00\x01" + inputs + outputs + witness + bytes(4)
    raw = MAGIC + field(b"\x00", UNSIGNED) + b"\x00" + field(b"\x00", funding) + b"\x00\x00\x00"
    tracemalloc.start()
    try:
        assert refusal(raw) is Code.PSBT_TOO_LARGE
        assert tracemalloc.get_traced_memory()[1] < 3 * len(raw) + 1_000_000
    finally:
        tracemalloc.stop()


def test_a71_a_thousand_inputs_cost_memory_in_proportion() -> None:
    payment = TestVault().payment(
        [Coin(0, salt % 4, 100_000, salt) for salt in range(1000)], [Pay(EXTERNAL_SCRIPT, 60_000)]
    )
    raw = payment.psbt.serialize()
    tracemalloc.start()
    try:
        assert len(Psbt.parse(raw).inputs) == 1000
        assert tracemalloc.get_traced_memory()[1] < 64_000_000
    finally:
        tracemalloc.stop()


# A72: what ours accepts, others read as the same transaction.


def test_a72_two_other_readers_see_the_same_transaction() -> None:
    import wallycore
    from btclib_wallet.psbt import Psbt as BtclibPsbt
    from embit.psbt import PSBT as EmbitPsbt  # noqa: N811

    assert (
        BtclibPsbt.b64decode(SIGNED.to_base64()).tx.serialize(include_witness=False, check_validity=False) == UNSIGNED
    )
    assert EmbitPsbt.parse(RAW).tx.serialize() == UNSIGNED
    for raw in (RAW, RAW_V2):
        wally = wallycore.psbt_from_bytes(raw, 0)
        assert bytes(wallycore.psbt_to_bytes(wally, 0)) == raw
