"""Officers attest an address to a payer; the payer checks it with our program, and without it by ssh-keygen alone."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.cli import run, run_json
from support.governed import policy_text
from support.governed_office import GovernedOffice
from support.rehearsal import Rehearsal
from support.ssh import SshKeygen

PEOPLE = {
    "dora": ("drafter", "signer"),
    "ann": ("administrator", "approver"),
    "bo": ("administrator", "approver"),
    "cy": ("board", "signer"),
    "audrey": ("auditor",),
}
NEXT = ["address", "attest", "--next", "--purpose", "block rewards of May", "--payer", "Pool X", "--amount", "1.5btc"]
PAGE = Path(__file__).resolve().parents[2] / "docs" / "payer.md"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, ssh_keygen: SshKeygen) -> GovernedOffice:
    """A founded vault that has seen its chain."""
    folder = tmp_path_factory.mktemp("receive")
    made: Rehearsal = GovernedOffice(folder / "office", PEOPLE, ssh_keygen)
    assert isinstance(made, GovernedOffice)
    made.found(policy_text(), folder)
    made.mine_to([made.json(["address", "next"])["address"]])
    return made


def sign(office: GovernedOffice, name: str, index: int, *more: str | Path) -> Any:
    return office.as_(name, ["address", "attest", index, "--key", office.key(name), *more])


def signers(office: GovernedOffice, folder: Path, *names: str) -> Path:
    path = folder / "allowed_signers"
    path.write_text("".join(f"{one} {office.public_key(one).read_text()}" for one in names))
    return path


def attested(office: GovernedOffice, folder: Path) -> Path:
    """Return the document of a new address that dora and ann signed."""
    begun = office.as_("dora", [*NEXT, "--key", office.key("dora")])
    path = folder / "pool.json"
    sign(office, "ann", begun["index"], "-o", path)
    return path


def test_two_officers_attest_and_the_payer_verifies(office: GovernedOffice, tmp_path: Path) -> None:
    begun = office.as_("dora", [*NEXT, "--label", "pool", "--key", office.key("dora")])
    assert (begun["needed"], begun["signed_by"], begun["missing"]) == (2, ["dora"], 1)
    tip = office.json(["coins", "list"])["height"]
    assert begun["expires_height"] == tip + 4_320
    # The address is reserved: the next one is another.
    assert office.json(["address", "next"])["index"] == begun["index"] + 1
    waiting = [one["index"] for one in office.json(["status"])["attestations"]]
    assert begun["index"] in waiting
    shown = office.run(["status"]).stdout.splitlines()
    assert f"ADDRESS receive {begun['index']} for Pool X: block rewards of May" in shown
    early = office.refused("dora", ["address", "attest", begun["index"], "-o", tmp_path / "early.json"], exit_code=5)
    assert early["error"] == "ATTESTATION_INCOMPLETE"
    assert not (tmp_path / "early.json").exists()
    done = sign(office, "ann", begun["index"], "-o", tmp_path / "pool.json")
    assert (done["signed_by"], done["missing"]) == (["dora", "ann"], 0)
    assert begun["index"] not in [one["index"] for one in office.json(["status"])["attestations"]]
    check = ["address", "verify", "--attestation", tmp_path / "pool.json"]
    answer = run_json([*check, "--officers", signers(office, tmp_path, "dora", "ann", "bo"), "--tip-height", tip])
    assert (answer["verdict"], answer["address"], answer["expired"]) == ("verified", begun["address"], False)
    assert [one["known_as"] for one in answer["signatures"]] == ["dora", "ann"]
    by_vault = run_json(
        [*check, "--officers", tmp_path / "allowed_signers", "--vault-file", office.folder / "vault.yaml"]
    )
    assert by_vault["derived"] is True
    late = run_json(
        [*check, "--officers", tmp_path / "allowed_signers", "--tip-height", begun["expires_height"] + 1], exit_code=3
    )
    assert (late["expired"], [one["code"] for one in late["findings"]]) == (True, ["ATTESTATION_EXPIRED"])
    last = run_json([*check, "--officers", tmp_path / "allowed_signers", "--tip-height", begun["expires_height"]])
    assert last["expired"] is False


def test_the_document_goes_to_stdout_too(office: GovernedOffice, tmp_path: Path) -> None:
    path = attested(office, tmp_path)
    index = json.loads(path.read_text())["index"]
    printed = office.run_as("ann", ["address", "attest", index, "-o", "-"])
    assert (printed.exit_code, printed.stdout) == (0, path.read_text())
    check = ["address", "verify", "--attestation", "-", "--officers", signers(office, tmp_path, "dora", "ann")]
    assert run(check, printed.stdout).exit_code == 0


def test_the_payer_may_know_keys_one_by_one_or_fingerprints_alone(office: GovernedOffice, tmp_path: Path) -> None:
    path = attested(office, tmp_path)
    one, other = office.public_key("dora"), office.keygen.fingerprint(office.public_key("ann").read_text())
    answer = run_json(["address", "verify", "--attestation", path, "--officer-key", one, "--officer-key", other])
    assert (answer["verdict"], answer["officers_counted"]) == ("verified", 2)


def test_a_statement_signed_elsewhere_comes_back_as_a_file(office: GovernedOffice, tmp_path: Path) -> None:
    text = tmp_path / "receive.txt"
    begun = office.as_("dora", [*NEXT, "--expires", "none", "--statement", text])
    assert text.read_text() == begun["statement"]
    assert begun["signed_by"] == []
    signature = tmp_path / "receive.txt.sig"
    signature.write_text(office.keygen.sign(office.key("bo"), text.read_bytes(), "custody-receive/1"))
    back = office.as_("bo", ["address", "attest", begun["index"], "--signature", signature])
    assert back["signed_by"] == ["bo"]
    again = office.refused("bo", ["address", "attest", begun["index"], "--signature", signature], exit_code=7)
    assert again["error"] == "APPROVER_DUPLICATE"
    other = office.refused("ann", ["address", "attest", begun["index"], "--signature", signature], exit_code=3)
    assert other["error"] == "STATEMENT_OTHER_KEY"


def test_a63_a_revoked_officers_signature_leaves_the_house_no_more(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, ssh_keygen: SshKeygen
) -> None:
    office = GovernedOffice(tmp_path_factory.mktemp("revoked") / "office", PEOPLE, ssh_keygen)
    office.found(policy_text(governance_waiting="0h"), tmp_path)
    begun = office.as_("audrey", [*NEXT, "--expires", "none", "--key", office.key("audrey")])
    assert sign(office, "ann", begun["index"])["missing"] == 0
    office.carry(office.json(["officer", "revoke", "audrey"]), "ann", "bo")
    shown = office.as_("ann", ["address", "attest", begun["index"]])
    assert (shown["signed_by"], shown["missing"]) == (["ann"], 1)
    refused = office.refused("ann", ["address", "attest", begun["index"], "-o", tmp_path / "pool.json"], exit_code=5)
    assert refused["error"] == "ATTESTATION_INCOMPLETE"
    # Neither can they sign now, nor write new terms down.
    for command in (["address", "attest", begun["index"]], [*NEXT, "--expires", "none"]):
        stopped = office.refused("audrey", [*command, "--key", office.key("audrey")], exit_code=3)
        assert stopped["error"] == "APPROVER_NOT_AUTHORISED"


def test_the_address_itself_can_sign_the_same_text(office: GovernedOffice, tmp_path: Path) -> None:
    psbt, proof, vault_file = tmp_path / "proof.psbt", tmp_path / "proof.txt", office.folder / "vault.yaml"
    begun = office.as_("dora", [*NEXT, "--key", office.key("dora"), "--proof-psbt", psbt])
    sign(office, "ann", begun["index"])
    reviewed = run_json(["psbt", "review", psbt, "--vault-file", vault_file])
    assert (reviewed["verdict"], reviewed["purpose"]) == ("clean", "proof")
    assert [one["code"] for one in reviewed["findings"]] == ["MESSAGE_PROOF"]  # short enough for what devices show
    lines = reviewed["proof"]["message"].split("\n")
    assert lines[:2] == ["Receive address", f"address: {begun['address']}"]
    signed = [tmp_path / f"signed{number}.psbt" for number in (1, 2)]
    for number, path in enumerate(signed, 1):
        path.write_bytes(office.device(number).sign(psbt.read_bytes()))
    combined = tmp_path / "combined.psbt"
    assert run(["psbt", "combine", *signed, "--vault-file", vault_file, "-o", combined]).exit_code == 0
    assert run(["psbt", "finalize", combined, "--vault-file", vault_file, "-o", proof]).exit_code == 0
    # A proof over another text, or of another address, is not taken.
    other = office.as_("dora", NEXT)
    refused = office.refused("dora", ["address", "attest", other["index"], "--proof", proof], exit_code=3)
    assert refused["error"] == "ADDRESS_PROOF_INVALID"
    document = tmp_path / "pool.json"
    assert office.as_("dora", ["address", "attest", begun["index"], "--proof", proof, "-o", document])["proof"]
    check = ["address", "verify", "--attestation", document, "--officers", signers(office, tmp_path, "dora", "ann")]
    assert run_json(check)["proof"] == "valid"
    assert "proof    valid: a BIP 322 signature by the address's own keys" in run(check).stdout.splitlines()
    # The address alone vouches for nobody: without officers' keys it stays unverified.
    alone = run_json(["address", "verify", "--attestation", document], exit_code=3)
    assert (alone["verdict"], alone["proof"]) == ("unverified", "valid")
    forged = json.loads(document.read_text())
    forged["proof"] = forged["proof"][:20] + ("A" if forged["proof"][20] != "A" else "B") + forged["proof"][21:]
    document.write_text(json.dumps(forged))
    bad = run_json(check, exit_code=3)
    assert (bad["verdict"], [one["code"] for one in bad["findings"]]) == ("refused", ["ADDRESS_PROOF_INVALID"])


def test_what_is_asked_for_wrongly_is_refused_before_anything_is_handed_out(
    office: GovernedOffice, tmp_path: Path
) -> None:
    entries = office.json(["journal", "verify"])["entries"]
    for arguments, code, exit_code in (
        (["address", "attest", "900", "--purpose", "rent"], "ATTESTATION_UNKNOWN", 6),
        (["address", "attest", "900"], "ATTESTATION_UNKNOWN", 6),
        ([*NEXT[:-1], "1.5"], "AMOUNT_UNIT_MISSING", 2),
        ([*NEXT[:-1], "0sat"], "MALFORMED_DOCUMENT", 6),
        ([*NEXT, "--expires", "tomorrow"], "USAGE", 2),
        ([*NEXT[:3], "--purpose", "x" * 201], "MALFORMED_DOCUMENT", 6),
        (["address", "attest", "--next"], "USAGE", 2),
        (["address", "attest", "0", "--amount", "1btc"], "USAGE", 2),
        ([*NEXT, "--signature", "x.sig"], "USAGE", 2),
    ):
        assert office.refused("dora", arguments, exit_code=exit_code)["error"] == code
    assert office.refused("nobody", NEXT, exit_code=3)["error"] == "APPROVER_NOT_AUTHORISED"
    assert office.json(["journal", "verify"])["entries"] == entries


def test_an_unfounded_vault_attests_nothing(tmp_path: Path) -> None:
    vault = Rehearsal(tmp_path / "vault")
    error = vault.error(["--as", "ann", *NEXT, "--expires", "none"], exit_code=7)
    assert error["error"] == "NOT_FOUNDED"


def test_the_document_survives_a_mail_as_a_qr_code(office: GovernedOffice, tmp_path: Path) -> None:
    path = attested(office, tmp_path)
    frames = "\n".join(run_json(["qr", "show", path])["frames"])
    assert run(["qr", "read", "-", "-o", tmp_path / "back.json"], frames).exit_code == 0
    assert (tmp_path / "back.json").read_bytes() == path.read_bytes()


def test_ssh_keygen_alone_verifies_by_the_commands_of_the_page(office: GovernedOffice, tmp_path: Path) -> None:
    attested(office, tmp_path)
    signers(office, tmp_path, "dora", "ann")
    (script,) = re.findall(r"```sh\n(# by hand.*?)```", PAGE.read_text(), re.DOTALL)
    shell = shutil.which("sh")
    assert shell is not None

    def by_hand() -> subprocess.CompletedProcess[str]:
        return subprocess.run([shell, "-e", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)

    good = by_hand()
    assert good.returncode == 0, good.stderr
    assert good.stdout.count('Good "custody-receive/1" signature for') == 2
    assert json.loads((tmp_path / "pool.json").read_text())["address"] in good.stdout
    forged = json.loads((tmp_path / "pool.json").read_text())
    forged["statement"] = forged["statement"].replace("1.50000000", "9.50000000")
    (tmp_path / "pool.json").write_text(json.dumps(forged))
    assert by_hand().returncode != 0


def test_an_auditor_replays_it_and_a_backup_brings_it_back(office: GovernedOffice, tmp_path: Path) -> None:
    path = attested(office, tmp_path)
    index = json.loads(path.read_text())["index"]
    export, backup, restored = tmp_path / "export.jsonl", tmp_path / "backup.txt", tmp_path / "restored"
    office.json(["journal", "export", "-o", export])
    replayed = run_json(["audit", "journal", export])
    assert [one for one in replayed["findings"] if one["severity"] == "refuse"] == []
    made = office.json(["vault", "backup", backup])
    assert run(["vault", "restore", backup, restored, "--expect-head", made["head"]]).exit_code == 0
    again = tmp_path / "again.json"
    run_json(["--vault", restored, "--as", "ann", "address", "attest", index, "-o", again])
    assert again.read_bytes() == path.read_bytes()
