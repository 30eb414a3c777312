"""A30, A47, A53, A55, A57, A58, A60, A94 and A119 through the proposal commands: what comes back."""

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from embit import ec

from custody.bitcoin.amount import Sats
from custody.bitcoin.hashing import sha256
from custody.bitcoin.psbt import PartialSignature, Psbt, psbt_from_text_or_bytes
from custody.bitcoin.sighash import SegwitV0Hasher
from support.cli import run
from support.rehearsal import Rehearsal, stranger
from support.review_cases import sign


@pytest.fixture
def office(tmp_path: Path) -> Rehearsal:
    """A vault with two ripe coins of 50 BTC."""
    made = Rehearsal(tmp_path / "reserve")
    made.fund(2)
    return made


def returned(folder: Path, psbt: Psbt | bytes) -> Path:
    path = folder / "returned.psbt"
    path.write_bytes(psbt if isinstance(psbt, bytes) else psbt.serialize())
    return path


def drafted(office: Rehearsal, amount: str = "60btc") -> tuple[Any, Psbt]:
    """Draft a payment; 60 BTC need both coins."""
    proposal = office.draft("--to", f"{stranger(1)}={amount}")
    return proposal, psbt_from_text_or_bytes(proposal["psbt"].encode())


def signed(office: Rehearsal, psbt: Psbt, number: int, inputs: Iterable[int] | None = None) -> Psbt:
    return sign(psbt, office.vault, number, inputs=inputs)


def assert_nothing_taken(office: Rehearsal, path: Path, code: str, exit_code: int = 3) -> None:
    head = office.json(["journal", "verify"])["head"]
    assert office.error(["proposal", "add", path], exit_code=exit_code)["error"] == code
    assert office.json(["journal", "verify"])["head"] == head


def test_a30_a58_other_amounts_for_the_same_transaction_are_refused(office: Rehearsal, tmp_path: Path) -> None:
    _, psbt = drafted(office)
    one = psbt.inputs[0]
    assert one.witness_utxo is not None
    lie = replace(one, witness_utxo=replace(one.witness_utxo, value=Sats(one.witness_utxo.value - 1)))
    path = returned(tmp_path, signed(office, psbt.with_input(0, lie), 1))
    assert_nothing_taken(office, path, "COMBINE_NON_SIGNATURE_CHANGE")


def test_a53_a_valid_signature_by_a_stranger_is_refused(office: Rehearsal, tmp_path: Path) -> None:
    _, psbt = drafted(office)
    one = psbt.inputs[0]
    assert one.witness_script is not None and one.witness_utxo is not None
    stranger_s = ec.PrivateKey(sha256(b"custody public test key, stranger"))
    digest = SegwitV0Hasher(psbt.unsigned_transaction()).digest(0, one.witness_script, one.witness_utxo.value)
    made = PartialSignature(stranger_s.get_public_key().sec(), stranger_s.sign(digest).serialize() + b"\x01")
    path = returned(tmp_path, psbt.with_input(0, replace(one, partial_signatures=(made,))))
    assert_nothing_taken(office, path, "SIGNER_NOT_MEMBER")


def test_a52_signatures_of_two_inputs_swapped_are_refused(office: Rehearsal, tmp_path: Path) -> None:
    _, psbt = drafted(office)
    whole = signed(office, psbt, 1)
    moved = replace(whole.inputs[0].partial_signatures[0], signature=whole.inputs[1].partial_signatures[0].signature)
    path = returned(tmp_path, psbt.with_input(0, replace(psbt.inputs[0], partial_signatures=(moved,))))
    assert_nothing_taken(office, path, "BAD_SIGNATURE")


def test_a55_the_quorum_is_that_of_the_weakest_input(office: Rehearsal, tmp_path: Path) -> None:
    proposal, psbt = drafted(office)
    assert len(psbt.inputs) == 2
    half = signed(office, signed(office, psbt, 1, [0]), 2, [0])
    added = office.json(["proposal", "add", returned(tmp_path, half)])
    assert (added["signing"]["signed"], added["signing"]["missing"]) == ([], 2)
    assert office.show(proposal)["state"] != "signed"
    finalize = ["proposal", "finalize", proposal["proposal_id"], "--ack", "SIGNER_SET_DIFFERS@tx"]
    assert office.error(finalize, exit_code=5)["error"] == "SIGNATURES_MISSING"


def test_a57_a60_signatures_for_another_transaction_are_refused(office: Rehearsal, tmp_path: Path) -> None:
    _, psbt = drafted(office)
    fee_raised = psbt.with_output(1, replace(psbt.outputs[1], value=Sats(psbt.outputs[1].value - 50_000)))
    assert_nothing_taken(office, returned(tmp_path, signed(office, fee_raised, 1)), "DIFFERENT_TRANSACTION")


def test_a47_a_replacement_never_diverts_what_was_handed_out(office: Rehearsal) -> None:
    first, _ = drafted(office)
    office.sign(first, 1)
    draft = ["proposal", "draft", "--fee-rate", "9", "--replaces", first["proposal_id"]]
    for diverted in (
        ["--to", f"{stranger(2)}=60btc"],
        ["--to", f"{stranger(1)}=59btc"],
        ["--to", f"{stranger(1)}=59btc", "--to", f"{stranger(2)}=1btc"],
    ):
        assert office.error([*draft, *diverted], exit_code=3)["error"] == "REPLACEMENT_CHANGES_PAYEE"
    same = office.json([*draft, "--to", f"{stranger(1)}=60btc"])
    assert same["replaces"] == first["proposal_id"]


def test_a119_please_sign_again_is_seen_by_the_coins(office: Rehearsal, tmp_path: Path) -> None:
    first, _ = drafted(office)
    earlier = tmp_path / "earlier.psbt"
    office.json(["proposal", "export", first["proposal_id"], "-o", earlier])
    office.sign(first, 1)
    coin = f"{first['inputs'][0]['txid']}:{first['inputs'][0]['vout']}"
    again = ["proposal", "draft", "--fee-rate", "9", "--to", f"{stranger(1)}=40btc", "--coin", coin]
    assert office.error(again, exit_code=7)["error"] == "COIN_RESERVED"
    second = office.draft("--to", f"{stranger(1)}=60btc", "--replaces", first["proposal_id"], "--fee-rate", "9")
    (tmp_path / "again.psbt").write_text(second["psbt"])
    review = ["psbt", "review", tmp_path / "again.psbt", "--vault-file", office.folder / "vault.yaml", "--json"]
    answer = run([*review, "--earlier", earlier]).json
    assert "ALREADY_SIGNED_SAME_OUTPOINTS" in [finding["code"] for finding in answer["findings"]]


@pytest.mark.parametrize("kind", ["pipe", "link", "folder", "device"])
def test_a94_only_plain_files_are_read(office: Rehearsal, tmp_path: Path, kind: str) -> None:
    _, psbt = drafted(office, "1btc")
    path = tmp_path / "returned.psbt"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link":
        (tmp_path / "real.psbt").write_bytes(signed(office, psbt, 1).serialize())
        path.symlink_to(tmp_path / "real.psbt")
    else:
        path = Path("/dev/zero")
    code = "PATH_UNSAFE" if kind == "link" else "FILE_NOT_REGULAR"
    if kind == "folder":  # a card, with nothing on it
        assert_nothing_taken(office, path, "NO_SIGNATURES", 5)
    else:
        assert_nothing_taken(office, path, code, 6)
    review = run(["psbt", "review", path, "--vault-file", office.folder / "vault.yaml", "--json"])
    assert (review.exit_code, review.error["error"]) == (6, code)


def test_a94_an_output_file_is_never_a_link_and_never_overwritten(office: Rehearsal, tmp_path: Path) -> None:
    proposal, _ = drafted(office, "1btc")
    victim, link, dangling = tmp_path / "victim", tmp_path / "link", tmp_path / "dangling"
    victim.write_bytes(b"kept")
    link.symlink_to(victim)
    dangling.symlink_to(tmp_path / "nothing")
    for target in (victim, link, dangling):
        for command in (["proposal", "export", proposal["proposal_id"]], ["journal", "export"]):
            assert office.run([*command, "-o", target]).exit_code in (6, 7)
    assert victim.read_bytes() == b"kept"
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "..", "a/b", "A", "", "-x", "a" * 65, "a\nb", "\u0430"])
def test_a94_a_vault_s_name_is_never_a_path(tmp_path: Path, name: str) -> None:
    office = Rehearsal(tmp_path / "reserve")
    (tmp_path / "vault.txt").write_text(office.vault.descriptor_text)
    named = ["vault", "import", tmp_path / "vault.txt", tmp_path / "new", f"--name={name}", "--network", "regtest"]
    refused = run([*named, "--json"])
    assert (refused.exit_code, refused.error["error"]) == (6, "NAME_INVALID")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["reserve", "vault.txt"]
