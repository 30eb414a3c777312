"""A70 and A71 through the command line: files that are no PSBT, and files that only want to exhaust the reader."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from custody.bitcoin.psbt_reader import MAX_BYTES, MAX_INPUTS, MAX_UNKNOWN_FIELDS
from custody.bitcoin.psbt_version import to_version
from custody.bitcoin.transaction import write_bytes, write_compact_size
from support.rehearsal import Rehearsal, stranger
from support.review_cases import assert_warned, payment, run_review, sign, simulated_vault

VAULT = simulated_vault()
PAYMENT = sign(payment(VAULT), VAULT, 1)
RAW = PAYMENT.serialize()
UNSIGNED = PAYMENT.unsigned_transaction().serialize_without_witness()
MAGIC = b"psbt\xff"


def field(key: bytes, value: bytes) -> bytes:
    return write_bytes(key) + write_bytes(value)


def in_global(extra: bytes) -> bytes:
    return RAW[:5] + extra + RAW[5:]


def unknown(count: int) -> bytes:
    return b"".join(field(b"\xf0" + number.to_bytes(4, "big"), b"") for number in range(count))


def version_2(counts: dict[int, bytes]) -> bytes:
    head = MAGIC + field(b"\x02", struct.pack("<i", 2)) + field(b"\xfb", struct.pack("<I", 2))
    return head + b"".join(field(bytes((kind,)), value) for kind, value in counts.items()) + b"\x00"


MALFORMED = {
    "empty": (b"", "MALFORMED_PSBT"),
    "no magic": (b"hello", "MALFORMED_PSBT"),
    "a bare transaction": (UNSIGNED, "MALFORMED_PSBT"),
    "hex": (RAW.hex().encode(), "MALFORMED_PSBT"),
    "truncated": (RAW[:-1], "MALFORMED_PSBT"),
    "cut in half": (RAW[: len(RAW) // 2], "MALFORMED_PSBT"),
    "trailing byte": (RAW + b"\x00", "MALFORMED_PSBT"),
    "two files in one": (RAW + RAW, "MALFORMED_PSBT"),
    "two unsigned transactions": (in_global(field(b"\x00", UNSIGNED)), "MALFORMED_PSBT"),
    "duplicate key": (RAW[:-1] + field(b"\xf0\x01", b"a") + field(b"\xf0\x01", b"b") + b"\x00", "MALFORMED_PSBT"),
    "long compact size": (RAW[:-1] + b"\xfd\x02\x00\xf0\x01\x00\x00", "MALFORMED_PSBT"),
    "version 2 field in version 0": (in_global(field(b"\x02", bytes(4))), "MALFORMED_PSBT"),
    "unknown version": (in_global(field(b"\xfb", struct.pack("<I", 7))), "UNSUPPORTED_PSBT_VERSION"),
    "wrong key length": (in_global(field(b"\x01" + bytes(77), bytes(4))), "MALFORMED_PSBT"),
    "wrong value length": (in_global(field(b"\xfb", bytes(3))), "MALFORMED_PSBT"),
    "damaged base64": (PAYMENT.to_base64().encode()[:-1], "MALFORMED_PSBT"),
}

EXHAUSTING = {
    "length 2^64-1": MAGIC + write_compact_size(2**64 - 1),
    "value of 2^62 bytes": MAGIC + b"\x01\x00" + write_compact_size(2**62),
    "2^31 inputs": MAGIC + field(b"\x00", struct.pack("<i", 2) + write_compact_size(2**31)) + b"\x00",
    "2^62 inputs in version 2": version_2({4: write_compact_size(2**62), 5: b"\x01"}),
    "2^62 outputs in version 2": version_2({4: b"\x01", 5: write_compact_size(2**62)}),
    "one input too many": version_2({4: write_compact_size(MAX_INPUTS + 1), 5: b"\x01"}),
    "one unknown field too many": in_global(unknown(MAX_UNKNOWN_FIELDS + 1)),
    "10^5 unknown fields": in_global(unknown(100_000)),
    "one byte too many": RAW + bytes(MAX_BYTES),
}


def test_a70_the_sound_file_is_reviewed_in_both_versions(tmp_path: Path) -> None:
    assert_warned(tmp_path, PAYMENT, VAULT, set())
    assert_warned(tmp_path, to_version(PAYMENT, 2), VAULT, set())


@pytest.mark.parametrize(("raw", "code"), MALFORMED.values(), ids=MALFORMED)
def test_a70_a_malformed_file_is_no_psbt(tmp_path: Path, raw: bytes, code: str) -> None:
    result = run_review(tmp_path, raw, VAULT)
    assert (result.exit_code, result.stdout, result.error["error"]) == (6, "", code)


@pytest.mark.parametrize("raw", EXHAUSTING.values(), ids=EXHAUSTING)
def test_a71_an_exhausting_file_is_refused_at_once(tmp_path: Path, raw: bytes) -> None:
    result = run_review(tmp_path, raw, VAULT)
    assert (result.exit_code, result.stdout) == (6, "")
    assert result.error["error"] in ("MALFORMED_PSBT", "PSBT_TOO_LARGE", "MALFORMED_TRANSACTION")


def test_a71_unknown_fields_up_to_the_limit_are_reviewed(tmp_path: Path) -> None:
    assert run_review(tmp_path, in_global(unknown(MAX_UNKNOWN_FIELDS)), VAULT).exit_code == 0


def test_a70_a71_proposal_add_takes_nothing_from_such_files(tmp_path: Path) -> None:
    office = Rehearsal(tmp_path / "reserve")
    office.fund(1)
    proposal = office.draft("--to", f"{stranger(1)}=1btc")
    whole = tmp_path / "whole.psbt"
    office.json(["proposal", "export", proposal["proposal_id"], "-o", whole])
    head = office.json(["journal", "verify"])["head"]
    bends: list[Callable[[bytes], bytes]] = [
        lambda raw: b"",
        lambda raw: raw[:-1],
        lambda raw: raw + b"\x00",
        lambda raw: raw[:5] + field(b"\xfb", struct.pack("<I", 7)) + raw[5:],
        lambda raw: raw[:5] + unknown(MAX_UNKNOWN_FIELDS + 1) + raw[5:],
        lambda raw: MAGIC + write_compact_size(2**64 - 1),
        lambda raw: raw + bytes(MAX_BYTES),
    ]
    returned = tmp_path / "returned.psbt"
    for bend in bends:
        returned.write_bytes(bend(whole.read_bytes()))
        refused = office.error(["proposal", "add", returned], exit_code=6)
        # A file without the magic bytes is read as a transaction, for devices return those too.
        malformed = ("MALFORMED_PSBT", "MALFORMED_TRANSACTION")
        assert refused["error"] in (*malformed, "PSBT_TOO_LARGE", "UNSUPPORTED_PSBT_VERSION")
    assert office.json(["journal", "verify"])["head"] == head
