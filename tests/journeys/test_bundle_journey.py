"""From an office to a signer's air-gapped machine and back: statement by hand, bundle, pin, review, signature."""

import subprocess
from pathlib import Path

import pytest

from custody.vault.formats import vault_file
from support.cli import Result, run, run_json
from support.governed import ROLES, policy_text
from support.governed_office import GovernedOffice
from support.rehearsal import stranger
from support.ssh import SshKeygen

HOUR_POLICY = policy_text(unlisted="routine")


@pytest.fixture
def office(tmp_path: Path, ssh_keygen: SshKeygen) -> GovernedOffice:
    """A founded 2-of-3 reserve with funds."""
    made = GovernedOffice(tmp_path / "office", ROLES, ssh_keygen)
    made.fund()
    made.found(HOUR_POLICY, tmp_path)
    return made


@pytest.fixture
def machine(office: GovernedOffice, tmp_path: Path) -> Path:
    """The signer's own folder, with the vault file that they took at the founding."""
    folder = tmp_path / "signer"
    folder.mkdir()
    (folder / "vault.yaml").write_text(vault_file.write(office.vault))
    return folder


def signers(machine: Path, command: list[str], bundle: str, *options: str) -> Result:
    """Run a signer's command there."""
    files = [machine / bundle, "--vault-file", machine / "vault.yaml", "--pin", machine / "trust.yaml"]
    return run([*command, *files, *options])


def test_a_payment_is_approved_by_hand_and_signed_offline(office: GovernedOffice, machine: Path) -> None:
    payment = office.draft_as("dora", "--to", f"{stranger(1)}=1btc")
    proposal_id = payment["proposal_id"]
    office.approve("ann", payment)

    # bo approves where this program is not: the text goes over, the signature comes back.
    statement = machine / "statement.txt"
    told = office.as_("bo", ["proposal", "export", proposal_id, "-o", statement, "--statement"])
    assert told["namespace"] == "custody-approve/1" and told["officer"] == "bo"
    assert statement.read_bytes() == told["statement"].encode()
    sign = [office.keygen.program, "-Y", "sign", "-n", told["namespace"], "-f", str(office.key("bo")), str(statement)]
    subprocess.run(sign, check=True, capture_output=True)
    early = machine / "early.bundle"
    office.json(["proposal", "export", proposal_id, "-o", early, "--bundle"])
    office.as_("bo", ["proposal", "approve", proposal_id, "--signature", f"{statement}.sig"])

    office.json(["proposal", "export", proposal_id, "-o", machine / "payment.bundle", "--bundle"])
    founding = run_json(
        ["pin", "create", machine / "payment.bundle", "--vault-file", machine / "vault.yaml",
         "--pin", machine / "trust.yaml", "--confirm-digest", office_founding(office)]
    )  # fmt: skip
    assert founding["governance"]["number"] == 0

    missing = signers(machine, ["psbt", "review"], "early.bundle", "--json")
    assert missing.exit_code == 3
    assert {one["code"] for one in missing.json["findings"] if one["severity"] == "refuse"} == {"APPROVALS_MISSING"}
    clean = signers(machine, ["psbt", "review"], "payment.bundle", "--json", "--expect-txid", payment["unsigned_txid"])
    assert clean.exit_code == 0, clean.stdout
    assert [one["officer"] for one in clean.json["approvals"]] == ["dora", "ann", "bo"]
    assert "APPROVED BY ann" in signers(machine, ["psbt", "review"], "payment.bundle").stdout

    office.sign(payment, 1)
    office.json(["proposal", "export", proposal_id, "-o", machine / "second.bundle", "--bundle"])
    second = signers(machine, ["psbt", "review"], "second.bundle", "--json")
    assert (second.exit_code, second.json["signing"]["signed"]) == (0, ["c1"])


def office_founding(office: GovernedOffice) -> str:
    """Return the founding digest as the officers know it."""
    changes = office.json(["change", "list", "--all"])["changes"]
    return str(next(one["statement_digest"] for one in changes if one["kind"] == "found"))


def test_a_change_of_officers_reaches_a_signer_by_advancing_the_pin(office: GovernedOffice, machine: Path) -> None:
    payment = office.draft_as("dora", "--to", f"{stranger(1)}=1btc")
    for name in ("ann", "bo"):
        office.approve(name, payment)
    export = ["proposal", "export", payment["proposal_id"], "--bundle", "-o"]
    office.json([*export, machine / "before.bundle"])
    assert (
        signers(machine, ["pin", "create"], "before.bundle", "--confirm-digest", office_founding(office)).exit_code == 0
    )
    suspended = office.carry(office.as_("ann", ["policy", "suspend"]), "ann")
    office.json([*export, machine / "after.bundle"])
    digest = suspended["statement_digest"]
    advanced = signers(machine, ["pin", "advance"], "after.bundle", "--confirm-digest", digest[:8])
    assert advanced.exit_code == 0, advanced.stderr
    assert "suspended by ann" in advanced.stdout
    old, new = (signers(machine, ["psbt", "review"], name, "--json") for name in ("before.bundle", "after.bundle"))
    assert (old.exit_code, new.exit_code) == (3, 3)
    assert "GOVERNANCE_ROLLED_BACK" in {one["code"] for one in old.json["findings"]}
    assert "POLICY_DENIED" in {one["code"] for one in new.json["findings"]}


def test_a_change_that_waited_is_in_force_for_a_signer_once_they_settled_it(
    office: GovernedOffice, machine: Path, tmp_path: Path
) -> None:
    payment = office.draft_as("dora", "--to", f"{stranger(1)}=1btc")
    office.json(["proposal", "export", payment["proposal_id"], "--bundle", "-o", machine / "first.bundle"])
    confirm = ["--confirm-digest", office_founding(office)]
    assert signers(machine, ["pin", "create"], "first.bundle", *confirm).exit_code == 0

    looser = tmp_path / "looser.yaml"
    looser.write_text(policy_text(2, unlisted="routine", routine="20btc"))
    adopted = office.carry(office.as_("ann", ["policy", "adopt", looser]), "ann", "bo")
    assert adopted["status"] == "waiting"
    office.wait(50)
    payment = office.draft_as("dora", "--to", f"{stranger(1)}=1btc")
    for name in ("ann", "bo"):
        office.approve(name, payment)
    office.json(["proposal", "export", payment["proposal_id"], "--bundle", "-o", machine / "second.bundle"])

    unsettled = signers(machine, ["psbt", "review"], "second.bundle", "--json")
    assert unsettled.exit_code == 3
    assert "GOVERNANCE_UNSETTLED" in {one["code"] for one in unsettled.json["findings"]}
    newest = office.json(["change", "list"])["newest"]
    assert newest == {"number": 1, "digest": adopted["statement_digest"]}
    assert newest["digest"] in office.run(["change", "list"]).stdout
    advanced = signers(machine, ["pin", "advance"], "second.bundle", "--confirm-digest", newest["digest"])
    assert advanced.exit_code == 0 and "said to be in force since" in " ".join(advanced.stdout.split())
    assert signers(machine, ["psbt", "review"], "second.bundle").exit_code == 0


def test_export_says_what_goes_together(office: GovernedOffice, tmp_path: Path) -> None:
    payment = office.draft_as("dora", "--to", f"{stranger(1)}=1btc")
    export = ["proposal", "export", payment["proposal_id"], "-o"]
    for options in (["--bundle", "--statement"], ["--bundle", "--base64"], ["--kind", "approve"]):
        assert office.run([*export, tmp_path / "x", *options]).exit_code == 2
    assert office.run([*export, tmp_path / "x", "--statement"]).exit_code == 2, "nobody is named"
    assert office.refused("cy", [*export, tmp_path / "x", "--statement", "--kind", "propose"], exit_code=3)
    assert not (tmp_path / "x").exists()
    office.json([*export, tmp_path / "x", "--bundle"])
    assert office.run([*export, tmp_path / "x", "--bundle"]).exit_code == 7
    printed = office.run_as("ann", [*export, "-", "--statement"])
    assert printed.stdout.startswith("custody-approve/1\nvault: rehearsal\n")


def test_an_ungoverned_vault_has_no_bundle(tmp_path: Path, ssh_keygen: SshKeygen) -> None:
    office = GovernedOffice(tmp_path / "office", ROLES, ssh_keygen)
    office.fund()
    drafted = office.draft("--to", f"{stranger(1)}=1btc")
    refused = office.error(
        ["proposal", "export", drafted["proposal_id"], "-o", tmp_path / "x", "--bundle"], exit_code=7
    )
    assert refused["error"] == "NOT_FOUNDED"
    assert not (tmp_path / "x").exists()
