"""A57 to A62 and A97: combining, the approved transaction, unknown fields, look-alikes; and the other psbt commands."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from custody.bitcoin.address import address_of, script_of
from custody.bitcoin.amount import Sats
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.encoding import segwit_encode
from custody.bitcoin.network import Network
from custody.bitcoin.psbt import Psbt, PsbtOutput, RawField, psbt_from_text_or_bytes
from custody.bitcoin.psbt_version import to_version
from custody.bitcoin.transaction import Transaction
from support.cli import Result, run
from support.review_cases import (
    OTHER_PAYEE,
    PAID,
    PAYEE,
    assert_refused,
    assert_warned,
    payment,
    run_review,
    sign,
    simulated_vault,
    with_change,
    with_coin,
    write_files,
)

VAULT = simulated_vault()


def _combine(folder: Path, *parts: Psbt | bytes, vault: object = VAULT) -> Result:
    _, vault_path = write_files(folder, payment(VAULT), vault)  # type: ignore[arg-type]
    names = []
    for number, part in enumerate(parts):
        names.append(folder / f"part{number}")
        names[-1].write_bytes(part if isinstance(part, bytes) else part.serialize())
    return run(["psbt", "combine", *names, "--vault-file", vault_path, "-o", folder / "out.psbt", "--json"])


def test_combine_takes_the_signatures_of_all(tmp_path: Path) -> None:
    psbt = payment(VAULT, coins=2)
    result = _combine(tmp_path, psbt, sign(psbt, VAULT, 3), sign(psbt, VAULT, 1).to_base64().encode())
    assert result.exit_code == 0, result.stderr
    assert result.json["signing"] == {"threshold": 2, "signed": ["ann", "cy"], "missing": 0}
    written = Psbt.parse((tmp_path / "out.psbt").read_bytes())
    assert written == psbt_from_text_or_bytes(result.json["psbt"].encode())
    assert written == sign(sign(psbt, VAULT, 1), VAULT, 3)


def test_combine_takes_trimmed_files_and_finds_the_master_itself(tmp_path: Path) -> None:
    psbt = payment(VAULT)
    signed = sign(psbt, VAULT, 2)
    bare = Psbt.create(psbt.unsigned_transaction())
    trimmed = with_coin(bare, partial_signatures=signed.inputs[0].partial_signatures)
    result = _combine(tmp_path, trimmed, sign(psbt, VAULT, 1))
    assert result.exit_code == 0, result.stderr
    assert result.json["signing"]["missing"] == 0


def test_a57_combine_of_different_transactions(tmp_path: Path) -> None:
    other = payment(VAULT).with_output(0, PsbtOutput(Sats(PAID), OTHER_PAYEE))
    result = _combine(tmp_path, payment(VAULT), sign(other, VAULT, 1))
    assert (result.exit_code, result.error["error"]) == (3, "DIFFERENT_TRANSACTION")
    assert not (tmp_path / "out.psbt").exists()


@pytest.mark.parametrize("bend", ["witness_script", "derivations", "witness_utxo", "change"])
def test_a58_combine_that_changes_more_than_signatures(tmp_path: Path, bend: str) -> None:
    psbt = payment(VAULT)
    signed = sign(psbt, VAULT, 1)
    one = signed.inputs[0]
    assert one.witness_utxo is not None
    label = one.derivations[0]
    other = replace(label, origin=replace(label.origin, fingerprint=b"\x01\x02\x03\x04"))
    bent = {
        "witness_script": with_coin(signed, witness_script=b"\x51"),
        "derivations": with_coin(signed, derivations=(other, *one.derivations[1:])),
        "witness_utxo": with_coin(signed, witness_utxo=replace(one.witness_utxo, value=Sats(1))),
        "change": with_change(signed, witness_script=b"\x51"),
    }[bend]
    result = _combine(tmp_path, psbt, bent)
    assert (result.exit_code, result.error["error"]) == (3, "COMBINE_NON_SIGNATURE_CHANGE")


def test_a58_added_fields_are_ignored_and_noted(tmp_path: Path) -> None:
    psbt = payment(VAULT)
    signed = replace(sign(psbt, VAULT, 1), unknown=(RawField(b"\xfc\x01a\x00", b"extra"),))
    result = _combine(tmp_path, psbt, signed)
    assert result.exit_code == 0
    assert [note["code"] for note in result.json["findings"]] == ["COMBINE_FIELDS_IGNORED"]
    assert Psbt.parse((tmp_path / "out.psbt").read_bytes()).unknown == ()


def test_combine_refuses_an_invalid_signature_and_a_file_without_any(tmp_path: Path) -> None:
    psbt = payment(VAULT)
    bad = with_coin(psbt, partial_signatures=sign(payment(VAULT, fee=9_000), VAULT, 1).inputs[0].partial_signatures)
    result = _combine(tmp_path, psbt, bad)
    assert (result.exit_code, result.error["error"]) == (3, "BAD_SIGNATURE")
    result = _combine(tmp_path, psbt, psbt)
    assert (result.exit_code, result.error["error"]) == (5, "NO_SIGNATURES")


def test_combine_against_another_vault(tmp_path: Path) -> None:
    psbt = payment(VAULT)
    result = _combine(tmp_path, psbt, sign(psbt, VAULT, 1), vault=simulated_vault(3, 5))
    assert (result.exit_code, result.error["error"]) == (3, "FOREIGN_INPUT")


def test_combine_never_overwrites(tmp_path: Path) -> None:
    psbt = payment(VAULT)
    (tmp_path / "out.psbt").write_bytes(b"precious")
    result = _combine(tmp_path, psbt, sign(psbt, VAULT, 1))
    assert (result.exit_code, result.error["error"]) == (7, "FILE_EXISTS")
    assert (tmp_path / "out.psbt").read_bytes() == b"precious"


def test_a59_changed_sequence_has_another_txid(tmp_path: Path) -> None:
    approved = payment(VAULT).unsigned_txid
    bent = to_version(with_coin(payment(VAULT), stated_sequence=0xFFFFFFFC), 2)
    assert_refused(tmp_path, bent, VAULT, {"TXID_NOT_APPROVED@tx"}, "--expect-txid", approved)
    assert_warned(tmp_path, to_version(payment(VAULT), 2), VAULT, set(), "--expect-txid", approved.upper())


def _malleated(kind: str) -> Psbt:
    psbt = payment(VAULT)
    return {
        "extra output": replace(psbt, outputs=(*psbt.outputs, PsbtOutput(Sats(1_000), OTHER_PAYEE))),
        "swapped payee": psbt.with_output(0, PsbtOutput(Sats(PAID), OTHER_PAYEE)),
        "reordered outputs": replace(psbt, outputs=tuple(reversed(psbt.outputs))),
        "raised fee": payment(VAULT, fee=5_000),
    }[kind]


@pytest.mark.parametrize("kind", ["extra output", "swapped payee", "reordered outputs", "raised fee"])
def test_a60_malleated_after_approval(tmp_path: Path, kind: str) -> None:
    approved = payment(VAULT).unsigned_txid
    psbt = _malleated(kind)
    if kind == "extra output":
        psbt = with_change(psbt, value=Sats(psbt.outputs[1].value - 1_000))
    assert_refused(tmp_path, psbt, VAULT, {"TXID_NOT_APPROVED@tx"}, "--expect-txid", approved)


@pytest.mark.parametrize("flags", [1, 2, 3, 4])
def test_a60_still_modifiable(tmp_path: Path, flags: int) -> None:
    psbt = replace(to_version(payment(VAULT), 2), tx_modifiable=flags)
    assert_refused(tmp_path, psbt, VAULT, {"TX_STILL_MODIFIABLE@tx"})


def test_a60_flags_all_clear(tmp_path: Path) -> None:
    assert_warned(tmp_path, replace(to_version(payment(VAULT), 2), tx_modifiable=0), VAULT, set())


def test_expected_txid_must_be_one(tmp_path: Path) -> None:
    result = run_review(tmp_path, payment(VAULT), VAULT, "--expect-txid", "12ab")
    assert (result.exit_code, result.stdout) == (2, "")


def test_a62_unknown_fields_are_listed_and_kept(tmp_path: Path) -> None:
    proprietary = RawField(b"\xfc\x04evil\x00", b"payload")
    psbt = replace(payment(VAULT), unknown=(proprietary,))
    psbt = with_change(with_coin(psbt, unknown=(RawField(b"\x77", b"\x01"),)), unknown=(proprietary,))
    answer = assert_warned(
        tmp_path,
        psbt,
        VAULT,
        {"UNKNOWN_FIELDS_PRESENT@tx", "UNKNOWN_FIELDS_PRESENT@input:0", "UNKNOWN_FIELDS_PRESENT@output:1"},
    )
    assert proprietary.key.hex() in json.dumps(answer)
    result = _combine(tmp_path, psbt, sign(psbt, VAULT, 1))
    assert Psbt.parse((tmp_path / "out.psbt").read_bytes()).unknown == (proprietary,), result.stderr


_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def look_alike(address: str) -> str:
    """Return another valid address with the same head and the same 4 last characters: the checksum code is linear."""
    program = script_of(address, Network.REGTEST)[2:]

    def flipped(mask: int) -> str:
        return segwit_encode("bcrt", 0, program[:-4] + (int.from_bytes(program[-4:], "big") ^ mask).to_bytes(4, "big"))

    def tail(mask: int) -> int:
        return sum(_CHARSET.index(letter) << 5 * place for place, letter in enumerate(flipped(mask)[-4:]))

    # Gaussian elimination over single bits, until some of them leave the tail as it is.
    rows: dict[int, tuple[int, int]] = {}
    for bit in range(32):
        effect, mask = tail(1 << bit) ^ tail(0), 1 << bit
        while effect and effect.bit_length() in rows:
            other, other_mask = rows[effect.bit_length()]
            effect, mask = effect ^ other, mask ^ other_mask
        if not effect:
            return flipped(mask)
        rows[effect.bit_length()] = effect, mask
    raise AssertionError("32 bits can not be independent in 20")


def test_a97_look_alikes(tmp_path: Path) -> None:
    known = address_of(PAYEE, Network.REGTEST)
    assert known is not None
    poisoned = look_alike(known)
    psbt = payment(VAULT).with_output(0, PsbtOutput(Sats(PAID), script_of(poisoned, Network.REGTEST)))
    book = tmp_path / "book.txt"
    book.write_text(f"# payees\n{known}\n")
    assert_warned(tmp_path, psbt, VAULT, set())
    answer = assert_warned(tmp_path, psbt, VAULT, {"LOOKALIKE_OF_KNOWN@output:0"}, "--known-addresses", book)
    assert known in answer["findings"][0]["message"]
    both = replace(psbt, outputs=(*psbt.outputs, PsbtOutput(Sats(1_000), PAYEE)))
    assert_warned(tmp_path, both, VAULT, {"LOOKALIKE_OF_KNOWN@output:0", "LOOKALIKE_OF_KNOWN@output:2"})
    assert_warned(tmp_path, payment(VAULT), VAULT, set(), "--known-addresses", book)


@pytest.mark.parametrize("script_type", list(ScriptType))
def test_finalize_writes_the_transaction(tmp_path: Path, script_type: ScriptType) -> None:
    vault = simulated_vault(script_type=script_type)
    psbt = payment(vault, coins=2)
    signed = sign(sign(psbt, vault, 3), vault, 1)
    psbt_path, vault_path = write_files(tmp_path, signed, vault)
    arguments: list[str | Path] = ["psbt", "finalize", psbt_path, "--vault-file", vault_path, "--json", "-o"]
    result = run([*arguments, tmp_path / "payment.txn"])
    assert result.exit_code == 0, result.stderr
    transaction = Transaction.parse(bytes.fromhex((tmp_path / "payment.txn").read_text()))
    assert result.json["txid"] == transaction.txid
    assert result.json["transaction"] == transaction.serialize().hex()
    assert run([*arguments, tmp_path / "final.psbt"]).exit_code == 0
    final = Psbt.parse((tmp_path / "final.psbt").read_bytes())
    assert all(one.is_final for one in final.inputs)
    assert_warned(tmp_path, final, vault, set())


def test_finalize_demands_the_quorum_on_every_input(tmp_path: Path) -> None:
    signed = sign(sign(payment(VAULT, coins=2), VAULT, 1), VAULT, 2, inputs=[0])
    psbt_path, vault_path = write_files(tmp_path, signed, VAULT)
    result = run(["psbt", "finalize", psbt_path, "--vault-file", vault_path, "--json"])
    assert (result.exit_code, result.error["error"]) == (5, "SIGNATURES_MISSING")


def test_finalize_refuses_what_the_review_refuses(tmp_path: Path) -> None:
    psbt = payment(VAULT)
    stolen = with_change(psbt, script_pubkey=OTHER_PAYEE)
    signed = sign(sign(stolen, VAULT, 1), VAULT, 2)
    psbt_path, vault_path = write_files(tmp_path, signed, VAULT)
    result = run(["psbt", "finalize", psbt_path, "--vault-file", vault_path, "--json", "-o", tmp_path / "out"])
    assert (result.exit_code, result.error["error"]) == (3, "OUTPUT_METADATA_CONTRADICTS_SCRIPT")
    assert not (tmp_path / "out").exists()


def test_convert_there_and_back(tmp_path: Path) -> None:
    psbt_path, _ = write_files(tmp_path, payment(VAULT), VAULT)
    assert run(["psbt", "convert", psbt_path, "--version", "2", "-o", tmp_path / "v2.psbt"]).exit_code == 0
    assert run(["psbt", "convert", tmp_path / "v2.psbt", "--version", "0", "-o", tmp_path / "v0.psbt"]).exit_code == 0
    assert (tmp_path / "v0.psbt").read_bytes() == psbt_path.read_bytes()
    printed = run(["psbt", "convert", psbt_path, "--version", "2"])
    assert psbt_from_text_or_bytes(printed.stdout.encode()).version == 2


def test_what_is_no_psbt_has_no_verdict(tmp_path: Path) -> None:
    for junk in (b"", b"junk", payment(VAULT).serialize() + b"\x00", payment(VAULT).serialize()[:-1]):
        result = run_review(tmp_path, junk, VAULT)
        assert (result.exit_code, result.stdout) == (6, "")


def test_a66_the_review_shows_what_the_bytes_say(tmp_path: Path) -> None:
    psbt = payment(VAULT)
    answer = run_review(tmp_path, psbt, VAULT).json
    assert answer["unsigned_txid"] == psbt.unsigned_transaction().txid
    paid = [script_of(output["address"], Network.REGTEST) for output in answer["outputs"]]
    assert paid == [output.script_pubkey for output in psbt.unsigned_transaction().outputs]


def test_a68_files_are_read_once(tmp_path: Path) -> None:
    """Standard input can be read only once: whatever is judged is what is finalized."""
    signed = sign(sign(payment(VAULT), VAULT, 1), VAULT, 2)
    _, vault_path = write_files(tmp_path, signed, VAULT)
    result = run(["psbt", "finalize", "-", "--vault-file", vault_path, "--json"], signed.serialize())
    assert result.exit_code == 0, result.stderr
    assert result.json["unsigned_txid"] == signed.unsigned_txid


def test_a68_a_link_that_could_be_retargeted_is_not_followed(tmp_path: Path) -> None:
    psbt_path, vault_path = write_files(tmp_path, payment(VAULT), VAULT)
    link = tmp_path / "link.psbt"
    link.symlink_to(psbt_path)
    result = run(["psbt", "review", link, "--vault-file", vault_path, "--json"])
    assert (result.exit_code, result.stdout) == (6, "")
