"""Five officers, a written policy, large payments and everything that stops one, from founding to emergency sweep.

The same steps stand in docs/governance.md as a walk-through. Every refusal is read as an officer
reads it: its words are part of what is tested.
"""

from pathlib import Path

import pytest

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.network import Network
from custody_hardware.simulator import simulated_key
from custody_policies.templates import template
from support.cli import run_json
from support.databases import Database
from support.governed_office import GovernedOffice
from support.rehearsal import stranger
from support.ssh import SshKeygen
from support.two_offices import SecondOffice

pytestmark = pytest.mark.postgres

PEOPLE = {
    "dora": ("drafter", "signer"),
    "ann": ("approver", "administrator", "signer"),
    "bo": ("approver", "administrator", "signer"),
    "cy": ("board", "administrator", "signer"),
    "audrey": ("auditor", "approver", "board", "signer"),
}
EXCHANGE = stranger(1)


def recovery_descriptor(folder: Path) -> Path:
    """Return a file with the descriptor of another vault: 2 of 3 other keys."""
    words: list[str] = []
    for number in (11, 12, 13):
        key = simulated_key(number, Network.REGTEST, ScriptType.WSH_SORTEDMULTI).to_text(Network.REGTEST)
        words += ["--cosigner", f"r{number}={key}"]
    where = folder / "recovery"
    create = ["vault", "create", where, "--name", "recovery", "--network", "regtest", "--threshold", 2, *words]
    made = run_json(create)
    path = folder / "recovery-vault.txt"
    path.write_text(made["descriptor"] + "\n")
    return path


@pytest.fixture
def office(tmp_path: Path, database: Database, password_file: Path, ssh_keygen: SshKeygen) -> GovernedOffice:
    """A founded 3-of-5 reserve whose journal is in a PostgreSQL that two offices share."""
    made = GovernedOffice(tmp_path / "north", PEOPLE, ssh_keygen, threshold=3, keys=5)
    made.json(["journal", "move", database.loopback_url().text])
    made.found(template("central-bank"), tmp_path)
    return made


@pytest.fixture
def south(office: GovernedOffice, tmp_path: Path) -> Path:
    """The folder of the other office: bo and audrey sign there. It has no chain and no journal of its own."""
    return SecondOffice(office, tmp_path / "south").folder


def test_a_central_bank_from_its_founding_to_an_emergency(office: GovernedOffice, south: Path, tmp_path: Path) -> None:
    # 1. No address is given out before every key's custodian holds the whole descriptor.
    refused = office.error(["address", "next"], exit_code=5)
    assert refused["error"] == "ATTESTATION_MISSING"
    for number, name in enumerate(PEOPLE, start=1):
        office.as_(name, ["cosigner", "attest", f"c{number}", "--key", office.key(name)])
    addresses = [office.json(["address", "next"])["address"] for _ in range(30)]
    office.mine_to(addresses)

    # 2. A destination is listed under approval, and waits.
    change = office.as_("ann", ["allowlist", "add", "exchange", "--address", EXCHANGE, "--note", "desk of bank X"])
    assert [one["what"] for one in change["missing"]] == [
        "3 more of 2 administrator and 1 auditor by the rule in force"
    ]
    office.carry(change, "ann")
    for name in ("bo", "audrey"):
        change = office.sign_change(name, change, at=south)
    assert change["status"] == "in-force"
    refused = office.refused("dora", ["proposal", "draft", "--to", "exchange=600btc", "--fee-rate", "5"], exit_code=4)
    assert refused["error"] == "POLICY_DENIED"
    assert "usable from" in refused["message"]
    office.wait(24)

    # 3. 600 BTC: three approvals of two roles. A signature comes only after them.
    payment = office.draft_as("dora", "--to", "exchange=600btc", "--reason", "sale 17")
    assert payment["decision"]["allowed"] is False
    sign = ["proposal", "sign", payment["proposal_id"], "--simulator", 1, "--confirm-sats", 60_000_000_000]
    refused = office.refused("dora", sign, exit_code=5)
    assert refused["error"] == "APPROVALS_MISSING"
    office.approve("ann", payment)
    office.approve("bo", payment, at=south)

    # 4. An approver is revoked before a device signed: the approval is void.
    revocation = office.as_("ann", ["officer", "revoke", "bo", "--reason", "left the bank"])
    assert office.carry(revocation, "ann", "cy", "audrey")["status"] == "in-force"
    shown = office.show(payment)
    assert (shown["approved_by"], shown["void_approvals"]) == (["ann"], ["bo"])
    refused = office.refused(
        "bo", ["proposal", "approve", payment["proposal_id"], "--key", office.key("bo")], exit_code=3
    )
    assert refused["error"] == "APPROVER_NOT_AUTHORISED"
    office.approve("audrey", payment, at=south)
    refused = office.refused("dora", sign, exit_code=5)
    assert "cy" in str(refused["details"]["decision"]["missing"])
    office.approve("cy", payment)

    # 5. Waiting time and office hours: only time cures them. Then three devices sign, and it is mined.
    refused = office.refused("dora", sign, exit_code=5)
    assert "6 hours after the last approval" in refused["message"]
    assert "office hours are mon, tue, wed, thu, fri 09:00 to 17:00 in Asia/Karachi" in refused["message"]
    office.wait(55)
    for device in (1, 3, 5):
        office.as_("dora", [*sign[:4], device, "--confirm-sats", 60_000_000_000])
    office.json(["proposal", "finalize", payment["proposal_id"]])
    sent = office.json(["proposal", "broadcast", payment["proposal_id"], "--confirm-sats", 60_000_000_000])
    assert sent["state"] == "broadcast"
    office.wait(1)
    assert office.show(payment)["state"] == "confirmed"

    # 6. The next one is stopped by the limit of a day, and is let through when the day is over.
    again = ["proposal", "draft", "--to", "exchange=600btc", "--fee-rate", "5"]
    refused = office.refused("dora", again, exit_code=4)
    assert "day" in refused["message"] and "1,000 BTC" in refused["message"]
    office.wait(25)
    later = office.draft_as("dora", "--to", "exchange=600btc", "--hold")
    for name in ("ann", "audrey", "cy"):
        later = office.approve(name, later)

    # 7. Approvals die with their proposal: expired by the chain's time, it can't be signed any more.
    office.wait(15 * 24)
    sign = ["proposal", "sign", later["proposal_id"], "--simulator", 2, "--confirm-sats", 60_000_000_000]
    assert office.refused("dora", sign, exit_code=7)["error"] == "PROPOSAL_EXPIRED"

    # 8. An alarm: one administrator stops everything; only the sweep to the recovery vault stays open.
    change = office.as_("cy", ["allowlist", "add", "recovery-vault", "--descriptor", recovery_descriptor(tmp_path)])
    office.carry(change, "ann", "cy", "audrey")
    office.wait(24)
    stopped = office.as_("ann", ["policy", "suspend", "--reason", "phone call", "--key", office.key("ann")])
    assert stopped["status"] == "in-force"
    refused = office.refused("dora", ["proposal", "draft", "--to", "exchange=1btc", "--fee-rate", "5"], exit_code=4)
    assert "suspended" in refused["message"] and "ann" in refused["message"]
    sweep = office.draft_as("dora", "--to", "recovery-vault=all", "--emergency", "sweep", "--reason", "alarm")
    assert sweep["kind"] == "emergency" and sweep["policy_path"] == "sweep"
    for name in ("ann", "audrey"):
        sweep = office.approve(name, sweep)
    assert sweep["decision"]["allowed"] is False
    sweep = office.approve("cy", sweep)
    assert sweep["decision"]["allowed"] is True
    office.send(sweep, 2, 3, 4)
    office.wait(1)
    assert office.show(sweep)["state"] == "confirmed"
    assert office.json(["coins", "list"])["spendable_sats"] == 0

    # 9. What was decided can be proved afterwards: the journal verifies, and so does its export alone.
    checkpoint = tmp_path / "checkpoint.json"
    office.as_("audrey", ["journal", "checkpoint", "--key", office.key("audrey"), "-o", checkpoint], at=south)
    assert office.json(["journal", "verify", "--checkpoint", checkpoint])["findings"] == []
    export = tmp_path / "journal.jsonl"
    office.json(["journal", "export", "-o", export])
    assert office.json(["journal", "verify", "--file", export, "--checkpoint", checkpoint])["ok"] is True

    # 10. An auditor replays the export with nothing else: every signature and every decision, and nothing is wrong.
    audited = run_json(["audit", "journal", export, "--checkpoint", checkpoint])
    assert (audited["ok"], audited["findings"]) == (True, [])
    assert audited["checked"]["decisions"] > 20
