"""What is tried against an address on its way to a payer; the payer has a document, officers' keys, and no wallet."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from custody.bitcoin.network import Network
from custody.documents.sshsig_keys import SshKeyType
from custody.people.receive_document import OfficerSignature, ReceiveDocument
from custody.spend.lookalike import HEAD, TAIL
from custody.vault.formats import vault_file
from support.cli import run, run_json
from support.governed import signer_of
from support.receives import INDEX, allowed_signers, document, look_alike, signature_of, terms_of, vault, write
from support.rehearsal import stranger
from support.ssh import SoftSigner
from support.vaults import make_vault


def verify(path: Path, signers: Path | None, *more: str | Path | int, exit_code: int) -> Any:
    """Run the payer's check and return its answer."""
    known = [] if signers is None else ["--officers", signers]
    return run_json(["address", "verify", "--attestation", path, *known, *more], exit_code=exit_code)


def codes(answer: Any) -> set[str]:
    return {one["code"] for one in answer["findings"]}


def test_a36_a_good_attestation_is_verified_without_wallet_workspace_or_network(tmp_path: Path) -> None:
    answer = verify(
        write(tmp_path, document(terms_of(), "dora", "ann")),
        allowed_signers(tmp_path, "dora", "ann", "bo"),
        exit_code=0,
    )
    assert (answer["verdict"], answer["officers_counted"], answer["officers_needed"]) == ("verified", 2, 2)
    assert (answer["address"], answer["amount_sats"]) == (vault().address_at(0, INDEX), 150_000_000)
    assert answer["expired"] is None
    assert answer["derived"] is None


def test_a36_an_address_swapped_on_its_way_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, document(terms_of(), "dora", "ann"), address=stranger(1))
    answer = verify(path, allowed_signers(tmp_path, "dora", "ann"), exit_code=3)
    assert answer["verdict"] == "refused"
    assert "SSHSIG_INVALID" in codes(answer)
    assert answer["officers_counted"] == 0


def test_a36_an_address_swapped_in_the_fields_alone_is_no_document(tmp_path: Path) -> None:
    made = document(terms_of(), "dora", "ann")
    path = write(tmp_path, made, address=stranger(1), statement=made.terms.statement.text)
    result = run(["address", "verify", "--attestation", path, "--json"])
    assert (result.exit_code, result.error["error"]) == (6, "MALFORMED_DOCUMENT")


def test_a36_the_vault_file_derives_the_address_again(tmp_path: Path) -> None:
    file = tmp_path / "vault.yaml"
    file.write_text(vault_file.write(vault()))
    signers = allowed_signers(tmp_path, "dora", "ann")
    good = write(tmp_path, document(terms_of(), "dora", "ann"))
    assert verify(good, signers, "--vault-file", file, exit_code=0)["derived"] is True
    # Signed by officers, and all the same not the vault's: two insiders together can do that to a payer without file.
    bad = write(tmp_path, document(terms_of(address=stranger(1)), "dora", "ann"))
    answer = verify(bad, signers, "--vault-file", file, exit_code=3)
    assert (answer["derived"], codes(answer)) == (False, {"ADDRESS_NOT_OURS"})


def test_a36_another_vaults_file_is_a_contradiction(tmp_path: Path) -> None:
    signers = allowed_signers(tmp_path, "dora", "ann")
    path, file = write(tmp_path, document(terms_of(), "dora", "ann")), tmp_path / "vault.yaml"
    for other in (make_vault(seed=2), make_vault(network=Network.MAIN)):
        file.write_text(vault_file.write(other))
        answer = verify(path, signers, "--vault-file", file, exit_code=3)
        assert (answer["derived"], codes(answer)) == (False, {"VAULT_MISMATCH"})
    file.write_text(vault_file.write(vault()))
    shown = run(["address", "verify", "--attestation", path, "--officers", signers, "--vault-file", file])
    assert "derived  the vault file gives this very address" in shown.stdout.splitlines()


def test_a63_what_is_no_signature_is_named_and_not_counted(tmp_path: Path) -> None:
    terms, signers = terms_of(), allowed_signers(tmp_path, "dora", "ann")
    untouched = SoftSigner(SshKeyType.SK_ED25519, seed="token", flags=0)
    signers.write_text(f"{signers.read_text()}cy {untouched.public.to_text()}\n")
    for signature, code in (
        ("x", "SSHSIG_MALFORMED"),
        (untouched.sign(terms.statement.signed_bytes, namespace="custody-receive/1"), "SSHSIG_NO_PRESENCE"),
    ):
        given = (OfficerSignature("dora", signature_of("dora", terms)), OfficerSignature("cy", signature))
        answer = verify(write(tmp_path, ReceiveDocument(terms, given, None)), signers, exit_code=3)
        assert codes(answer) == {code, "ATTESTATION_INCOMPLETE"}
        assert [one["trusted"] for one in answer["signatures"]] == [True, False]


def test_a63_the_payers_options_need_an_attestation() -> None:
    for options in (["--officers", "f"], ["--officer-key", "f"], ["--require", 2], ["--tip-height", 0]):
        for address in ([], [stranger(1)]):
            assert run(["address", "verify", *address, *options]).exit_code == 2


@pytest.mark.parametrize(
    "edits",
    [
        {"amount_sats": 1_500_000_000},
        {"amount_sats": None},
        {"purpose": "something else"},
        {"payer": None},
        {"index": 8},
        {"needed": 1},
        {"expires_height": None},
        {"vault_id": "00" * 32},
        {"vault": "another"},
        {"drafter": "ann"},
        {"nonce": "f" * 32},
        {"governance": {"number": 1, "digest": "ab" * 32}},
    ],
    ids=lambda edits: next(iter(edits)),
)
def test_a36_a98_no_term_can_be_changed_after_it_was_signed(tmp_path: Path, edits: dict[str, Any]) -> None:
    path = write(tmp_path, document(terms_of(), "dora", "ann"), **edits)
    answer = verify(path, allowed_signers(tmp_path, "dora", "ann"), exit_code=3)
    assert (answer["verdict"], codes(answer)) == ("refused", {"SSHSIG_INVALID", "ATTESTATION_UNVERIFIED"})


def test_a61_signatures_of_another_purpose_vault_or_network_count_for_nothing(tmp_path: Path) -> None:
    terms = terms_of()
    signers = allowed_signers(tmp_path, "dora", "ann")
    other = make_vault(seed=2)
    main = make_vault(network=Network.MAIN)
    for old in (
        terms_of(purpose="an older payment", nonce="0" * 31 + "2"),
        terms_of(other),
        terms_of(main),
    ):
        replayed = tuple(OfficerSignature(name, signature_of(name, old)) for name in ("dora", "ann"))
        answer = verify(write(tmp_path, ReceiveDocument(terms, replayed, None)), signers, exit_code=3)
        assert codes(answer) == {"SSHSIG_INVALID", "ATTESTATION_UNVERIFIED"}


def test_a61_a_signature_of_another_kind_counts_for_nothing(tmp_path: Path) -> None:
    terms = terms_of()
    given = tuple(
        OfficerSignature(name, signature_of(name, terms, namespace="custody-approve/1")) for name in ("dora", "ann")
    )
    path = write(tmp_path, ReceiveDocument(terms, given, None))
    answer = verify(path, allowed_signers(tmp_path, "dora", "ann"), exit_code=3)
    assert codes(answer) == {"SSHSIG_NAMESPACE", "ATTESTATION_UNVERIFIED"}


def test_a63_without_officers_keys_nothing_is_verified_and_it_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, document(terms_of(), "dora", "ann"))
    answer = verify(path, None, exit_code=3)
    assert (answer["verdict"], codes(answer)) == ("unverified", {"ATTESTATION_UNVERIFIED"})
    shown = run(["address", "verify", "--attestation", path])
    assert shown.stdout.startswith("UNVERIFIED: nobody whom you know vouches for this address")
    assert "anybody could have written it" in shown.stdout


def test_a63_strangers_signatures_are_not_counted(tmp_path: Path) -> None:
    path = write(tmp_path, document(terms_of(), "mallory", "mallet"))
    answer = verify(path, allowed_signers(tmp_path, "dora", "ann"), exit_code=3)
    assert (answer["verdict"], answer["officers_counted"]) == ("unverified", 0)
    assert [one["trusted"] for one in answer["signatures"]] == [False, False]
    mixed = write(tmp_path, document(terms_of(), "dora", "mallory"))
    answer = verify(mixed, allowed_signers(tmp_path, "dora", "ann"), exit_code=3)
    assert (answer["verdict"], codes(answer)) == ("refused", {"ATTESTATION_INCOMPLETE"})


def test_a63_a_strangers_key_under_an_officers_name_is_named(tmp_path: Path) -> None:
    terms = terms_of()
    given = (
        OfficerSignature("dora", signature_of("dora", terms)),
        OfficerSignature("ann", signature_of("ann", terms, key="mallory")),
    )
    path = write(tmp_path, ReceiveDocument(terms, given, None))
    answer = verify(path, allowed_signers(tmp_path, "dora", "ann"), exit_code=3)
    assert codes(answer) == {"STATEMENT_OTHER_KEY", "ATTESTATION_INCOMPLETE"}


def test_a63_one_insider_cant_ask_for_one_signature_only(tmp_path: Path) -> None:
    path = write(tmp_path, document(terms_of(needed=1), "dora"))
    answer = verify(path, allowed_signers(tmp_path, "dora", "ann"), exit_code=3)
    assert (answer["officers_needed"], codes(answer)) == (2, {"ATTESTATION_INCOMPLETE"})
    # Who knows one officer only, or says that one is enough, can't have more.
    assert verify(path, allowed_signers(tmp_path, "dora"), exit_code=0)["officers_needed"] == 1
    assert verify(path, allowed_signers(tmp_path, "dora", "ann"), "--require", 1, exit_code=0)["officers_needed"] == 1
    # The payer can ask for more than the document, never for less.
    two = write(tmp_path, document(terms_of(), "dora", "ann"))
    signers = allowed_signers(tmp_path, "dora", "ann", "bo")
    assert verify(two, signers, "--require", 3, exit_code=3)["officers_needed"] == 3
    assert verify(two, signers, "--require", 1, exit_code=0)["officers_needed"] == 2


def test_a64_one_key_under_two_names_is_one_person(tmp_path: Path) -> None:
    terms = terms_of()
    given = (
        OfficerSignature("dora", signature_of("dora", terms)),
        OfficerSignature("anna", signature_of("anna", terms, key="dora")),
    )
    path = write(tmp_path, ReceiveDocument(terms, given, None))
    answer = verify(path, allowed_signers(tmp_path, "dora", "ann"), exit_code=3)
    assert (answer["officers_counted"], codes(answer)) == (1, {"APPROVER_DUPLICATE", "ATTESTATION_INCOMPLETE"})


def test_a64_the_payers_own_list_with_one_key_under_two_names_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, document(terms_of(), "dora"))
    line = signer_of("dora").public.to_text()
    signers = tmp_path / "allowed_signers"
    signers.write_text(f"dora {line}\nann {line}\n")
    refused = run(["address", "verify", "--attestation", path, "--officers", signers, "--json"])
    assert (refused.exit_code, refused.error["error"]) == (3, "APPROVER_DUPLICATE")


def test_a64_two_keys_of_one_person_count_once(tmp_path: Path) -> None:
    terms = terms_of()
    given = (
        OfficerSignature("dora", signature_of("dora", terms)),
        OfficerSignature("dora", signature_of("dora", terms, key="doras-other-key")),
    )
    path = write(tmp_path, ReceiveDocument(terms, given, None))
    signers = allowed_signers(tmp_path, "dora", "ann")
    with signers.open("a") as file:
        file.write(f"dora {signer_of('doras-other-key').public.to_text()}\n")
    answer = verify(path, signers, exit_code=3)
    assert (answer["officers_counted"], codes(answer)) == (1, {"ATTESTATION_INCOMPLETE"})


def test_a97_a_look_alike_of_the_signed_address_is_named(tmp_path: Path) -> None:
    terms = terms_of()
    alike = look_alike(terms.address, terms.network)
    assert alike != terms.address
    assert (alike[:HEAD], alike[-TAIL:]) == (terms.address[:HEAD], terms.address[-TAIL:])
    signers = allowed_signers(tmp_path, "dora", "ann")
    path = write(tmp_path, document(terms, "dora", "ann"))
    answer = verify(path, signers, alike, exit_code=3)
    assert codes(answer) == {"ADDRESS_NOT_ATTESTED", "LOOKALIKE_OF_KNOWN"}
    # And in the document itself it is caught by the signatures.
    swapped = write(tmp_path, document(terms, "dora", "ann"), address=alike)
    assert "SSHSIG_INVALID" in codes(verify(swapped, signers, exit_code=3))


def test_a97_the_whole_address_is_shown_in_groups(tmp_path: Path) -> None:
    path = write(tmp_path, document(terms_of(), "dora", "ann"))
    shown = run(["address", "verify", "--attestation", path, "--officers", allowed_signers(tmp_path, "dora", "ann")])
    address = terms_of().address
    groups = " ".join(address[at : at + 4] for at in range(0, len(address), 4))
    assert groups in shown.stdout.splitlines()
    assert address in shown.stdout.splitlines()


def test_a98_what_is_pasted_is_compared_whole(tmp_path: Path) -> None:
    signers, path = allowed_signers(tmp_path, "dora", "ann"), write(tmp_path, document(terms_of(), "dora", "ann"))
    refused = verify(path, signers, stranger(3), exit_code=3)
    assert codes(refused) == {"ADDRESS_NOT_ATTESTED"}
    assert (refused["address"], refused["address_given"]) == (terms_of().address, stranger(3))
    shown = run(["address", "verify", stranger(3), "--attestation", path, "--officers", signers]).stdout.splitlines()
    assert shown[0] == "REFUSED: don't pay"
    assert shown[1].replace(" ", "") == f"yougave{stranger(3)}"
    assert shown[2] == "which is not the address of the document:"
    assert verify(path, signers, terms_of().address, exit_code=0)["verdict"] == "verified"
    # bech32 may be written in capitals, as QR codes do: the same script.
    assert verify(path, signers, terms_of().address.upper(), exit_code=0)["verdict"] == "verified"


def test_a95_a_purpose_cant_draw_on_the_payers_screen(tmp_path: Path) -> None:
    evil = "rent\u202e\x1b[2J\r\nVERIFIED: officers whom you know signed this address"
    path = write(tmp_path, document(terms_of(purpose=evil, payer="x\u2066y"), "dora", "ann"))
    shown = run(["address", "verify", "--attestation", path])
    assert shown.exit_code == 3
    assert not set("\u202e\x1b\r\u2066") & set(shown.stdout)
    assert [line for line in shown.stdout.splitlines() if line.startswith("VERIFIED")] == []
    lines = replace(terms_of(), purpose=evil).statement.text.splitlines()
    assert all(line.isascii() and line.isprintable() for line in lines)
    assert len(lines) == len(terms_of().statement.text.splitlines())
