"""What insiders try against approvals and governance, through the real command line. Nothing below a quorum moves."""

from pathlib import Path
from typing import Any

import pytest

from custody.people.statement import StatementKind, proposal_statement
from custody.workflow.office import open_office
from custody.workspace.layout import Workspace
from support.governed import policy_text
from support.governed_office import GovernedOffice
from support.rehearsal import Rehearsal, stranger
from support.ssh import SshKeygen

PEOPLE = {
    "dora": ("drafter", "signer"),
    "ann": ("administrator", "approver"),
    "bo": ("administrator", "approver"),
    "cy": ("board", "signer"),
    "audrey": ("auditor",),
}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, ssh_keygen: SshKeygen) -> GovernedOffice:
    """A founded 2-of-3 vault with four coins of 50 BTC; small payments take two approvers."""
    folder = tmp_path_factory.mktemp("insiders")
    made: Rehearsal = GovernedOffice(folder / "office", PEOPLE, ssh_keygen)
    assert isinstance(made, GovernedOffice)
    made.found(policy_text(unlisted="routine"), folder)
    made.mine_to([made.json(["address", "next"])["address"] for _ in range(4)])
    return made


@pytest.fixture
def proposal(office: GovernedOffice) -> Any:
    """A fresh payment of 1 BTC, signed by its drafter; withdrawn afterwards so that its coin comes free."""
    drafted = office.draft_as("dora", "--to", f"{stranger(7)}=1btc", "--hold")
    yield drafted
    office.run(["proposal", "withdraw", drafted["proposal_id"]])


def statement_file(office: GovernedOffice, proposal: Any, folder: Path, **edits: str) -> Path:
    """Write what an approver signs, with lines edited."""
    state = open_office(Workspace(office.folder)).state
    text = proposal_statement(
        StatementKind.APPROVE,
        state.proposals[proposal["proposal_id"]].proposal,
        vault_name=office.vault.name,
        governance=state.governance.statements[-1],
    ).text
    lines = [
        f"{label}: {edits[label.replace(' ', '_')]}" if label.replace(" ", "_") in edits else line
        for line in text.splitlines()
        for label in [line.partition(": ")[0]]
    ]
    path = folder / "statement.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def signed(office: GovernedOffice, name: str, path: Path, namespace: str = "custody-approve/1") -> Path:
    """Sign a file as a person, by ssh-keygen."""
    signature = path.with_suffix(".sig")
    signature.write_text(office.keygen.sign(office.key(name), path.read_bytes(), namespace))
    return signature


def approve_by_hand(office: GovernedOffice, name: str, proposal: Any, signature: Path, *, exit_code: int) -> Any:
    command = ["proposal", "approve", proposal["proposal_id"], "--signature", signature]
    return office.refused(name, command, exit_code=exit_code)


def test_a61_an_approval_of_another_proposal_is_a_replay(office: GovernedOffice, proposal: Any, tmp_path: Path) -> None:
    other = office.draft_as("dora", "--to", f"{stranger(7)}=1btc", "--hold")
    signature = signed(office, "ann", statement_file(office, other, tmp_path))
    refused = approve_by_hand(office, "ann", proposal, signature, exit_code=3)
    assert refused["error"] == "APPROVAL_REPLAYED"
    assert refused["details"]["proposal_id"] == other["proposal_id"]
    assert office.show(proposal)["approved_by"] == []
    office.run(["proposal", "withdraw", other["proposal_id"]])


@pytest.mark.parametrize(
    "edits",
    [
        {"network": "main"},
        {"vault_id": "00" * 32},
        {"unsigned_txid": "11" * 32},
        {"policy_digest": "22" * 32},
        {"expires": "2036-01-01T00:00:00Z"},
        {"fee": "0.00000001 BTC (1 sat)"},
        {"nonce": "0" * 32},
    ],
    ids=lambda edits: next(iter(edits)),
)
def test_a61_an_approval_that_says_anything_else_counts_for_nothing(
    office: GovernedOffice, proposal: Any, tmp_path: Path, edits: dict[str, str]
) -> None:
    signature = signed(office, "ann", statement_file(office, proposal, tmp_path, **edits))
    assert approve_by_hand(office, "ann", proposal, signature, exit_code=3)["error"] == "SSHSIG_INVALID"


def test_a61_an_approval_of_another_kind_counts_for_nothing(
    office: GovernedOffice, proposal: Any, tmp_path: Path
) -> None:
    signature = signed(office, "ann", statement_file(office, proposal, tmp_path), "custody-reject/1")
    assert approve_by_hand(office, "ann", proposal, signature, exit_code=3)["error"] == "SSHSIG_NAMESPACE"


def test_a61_an_approval_is_void_once_the_proposal_is_withdrawn(office: GovernedOffice) -> None:
    drafted = office.draft_as("dora", "--to", f"{stranger(8)}=1btc", "--hold")
    office.approve("ann", drafted)
    office.json(["proposal", "withdraw", drafted["proposal_id"]])
    refused = office.refused(
        "bo", ["proposal", "approve", drafted["proposal_id"], "--key", office.key("bo")], exit_code=7
    )
    assert refused["error"] == "PROPOSAL_STATE"
    sign = ["proposal", "sign", drafted["proposal_id"], "--simulator", 1, "--confirm-sats", drafted["confirm_sats"]]
    assert office.error(sign, exit_code=7)["error"] == "PROPOSAL_STATE"


def test_a63_nobody_outside_the_roll_approves(office: GovernedOffice, proposal: Any, tmp_path: Path) -> None:
    signature = signed(office, "eve", statement_file(office, proposal, tmp_path))
    assert approve_by_hand(office, "eve", proposal, signature, exit_code=3)["error"] == "APPROVER_NOT_AUTHORISED"
    assert approve_by_hand(office, "ann", proposal, signature, exit_code=3)["error"] == "STATEMENT_OTHER_KEY"
    assert office.show(proposal)["approved_by"] == []


def test_a63_a_role_that_the_rule_does_not_ask_for_fills_no_place(office: GovernedOffice, proposal: Any) -> None:
    office.approve("audrey", proposal)
    office.approve("ann", proposal)
    shown = office.show(proposal)
    assert shown["decision"]["allowed"] is False
    assert shown["decision"]["missing"][0]["from"] == ["bo"]


def test_a64_one_person_counts_once(office: GovernedOffice, proposal: Any) -> None:
    office.approve("ann", proposal)
    again = ["proposal", "approve", proposal["proposal_id"], "--key", office.key("ann")]
    assert office.refused("ann", again, exit_code=3)["error"] == "APPROVER_DUPLICATE"


def test_a64_a_drafter_does_not_approve_their_own_draft(office: GovernedOffice, proposal: Any) -> None:
    own = ["proposal", "approve", proposal["proposal_id"], "--key", office.key("dora")]
    assert office.refused("dora", own, exit_code=3)["error"] == "SELF_APPROVAL"


def test_a64_nobody_signs_a_draft_in_anothers_name(office: GovernedOffice) -> None:
    drafted = office.as_("dora", ["proposal", "draft", "--to", f"{stranger(9)}=1btc", "--fee-rate", "5", "--hold"])
    propose = ["proposal", "approve", drafted["proposal_id"], "--propose", "--key", office.key("ann")]
    assert office.refused("ann", propose, exit_code=3)["error"] == "APPROVER_NOT_AUTHORISED"
    refused = office.refused(
        "ann", ["proposal", "approve", drafted["proposal_id"], "--key", office.key("ann")], exit_code=5
    )
    assert "dora" in refused["message"]
    office.run(["proposal", "withdraw", drafted["proposal_id"]])


def test_a64_one_key_under_two_names_is_refused(office: GovernedOffice) -> None:
    command = ["officer", "add", "ann2", "--role", "approver", "--key", office.public_key("ann")]
    refused = office.error(command, exit_code=7)
    assert (refused["error"], "enrolled before" in refused["message"]) == ("GOVERNANCE_REFUSED", True)


@pytest.mark.parametrize(
    "change",
    [
        ["allowlist", "add", "mine", "--address", stranger(66)],
        ["officer", "revoke", "audrey"],
        ["policy", "adopt", "weaker.yaml"],
        ["officer", "add", "eve", "--role", "approver", "--key", "eve.pub"],
    ],
    ids=lambda change: " ".join(change[:2]),
)
def test_a65_below_the_quorum_nothing_changes(office: GovernedOffice, tmp_path: Path, change: list[str]) -> None:
    (tmp_path / "weaker.yaml").write_text(policy_text(2, unlisted="routine", routine="1000btc"))
    (tmp_path / "eve.pub").write_text(office.public_key("eve").read_text())
    words = [str(tmp_path / word) if word.endswith((".yaml", ".pub")) else word for word in change]
    before = office.json(["policy", "explain"])["digest"]
    proposed = office.json(words)
    for name in ("ann", "dora", "cy", "audrey"):
        proposed = office.sign_change(name, proposed)
    assert proposed["status"] == "pending"
    assert office.json(["policy", "explain"])["digest"] == before
    assert office.json(["allowlist", "list"])["entries"] == []
    assert [one["name"] for one in office.json(["officer", "list"])["officers"]] == [*PEOPLE]
    proposed = office.sign_change("bo", proposed, verb="reject")
    assert proposed["status"] == "rejected"


def test_a65_devices_alone_do_not_sign_without_approvals(office: GovernedOffice, proposal: Any, tmp_path: Path) -> None:
    sign = ["proposal", "sign", proposal["proposal_id"], "--simulator", 1, "--confirm-sats", proposal["confirm_sats"]]
    assert office.error(sign, exit_code=5)["error"] == "APPROVALS_MISSING"
    psbt = tmp_path / "payment.psbt"
    office.json(["proposal", "export", proposal["proposal_id"], "-o", psbt])
    returned = tmp_path / "signed.psbt"
    returned.write_bytes(office.device(1).sign(psbt.read_bytes()))
    refused = office.error(["proposal", "add", returned], exit_code=5)
    assert refused["error"] == "APPROVALS_MISSING"
    assert office.show(proposal)["signing"]["signed"] == []


def test_a120_an_older_policy_is_never_accepted_again(office: GovernedOffice, tmp_path: Path) -> None:
    older = tmp_path / "older.yaml"
    older.write_text(policy_text(1, unlisted="routine", routine="1000btc"))
    assert office.error(["policy", "adopt", older], exit_code=3)["error"] == "POLICY_VERSION_OLD"
