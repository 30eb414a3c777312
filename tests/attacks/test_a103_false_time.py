"""A103: somebody who can append claims a later time of the chain, to end a waiting time or to expire everything."""

from pathlib import Path
from typing import Any

import pytest

from custody.workflow.office import editing
from custody.workspace.layout import Workspace
from custody_cli.session import Session
from custody_cli.system import surroundings_of
from support.governed import policy_text
from support.governed_office import GovernedOffice
from support.rehearsal import stranger
from support.ssh import SshKeygen

PEOPLE = {
    "dora": ("drafter",),
    "ann": ("administrator", "approver"),
    "bo": ("administrator", "approver"),
    "cy": ("board", "signer"),
}
DAYS = 2 * 86_400


@pytest.fixture
def office(tmp_path: Path, ssh_keygen: SshKeygen) -> GovernedOffice:
    made = GovernedOffice(tmp_path / "office", PEOPLE, ssh_keygen)
    made.found(policy_text(unlisted="deny"), tmp_path)
    made.mine_to([made.json(["address", "next"])["address"] for _ in range(2)])
    return made


def claim_a_later_time(office: GovernedOffice) -> None:
    """Append an observation that no node made: the same view, two days later."""
    with editing(Workspace(office.folder), surroundings_of(Session(vault_directory=office.folder))) as desk:
        tip = desk.state.tip
        assert tip is not None
        body: dict[str, Any] = {
            "tip": {
                "height": tip.height,
                "hash": tip.block_hash,
                "median_time_past": tip.median_time_past + DAYS,
            },
            "complete": True,
            "compared_with_utxo_set": True,
            "incomplete": [],
            "scanned": {"receive": 1000, "change": 1000},
            "transactions": [],
            "vanished_blocks": [],
            "gone": [],
        }
        desk.record([("chain_observed", body)])


def test_a103_a_false_time_ends_no_waiting_time(office: GovernedOffice) -> None:
    change = office.json(["allowlist", "add", "mine", "--address", stranger(66)])
    office.carry(change, "ann", "bo")
    claim_a_later_time(office)
    assert office.json(["allowlist", "list"])["entries"][0]["usable"] is True
    # Drafting looks at the chain first: what the node shows contradicts the entry.
    refused = office.refused("dora", ["proposal", "draft", "--to", "mine=1btc", "--fee-rate", "5"], exit_code=9)
    assert refused["error"] == "SYNC_INCOMPLETE"
    assert "somebody wrote a false time" in refused["message"]
    status = office.json(["status"], exit_code=9)
    assert "somebody wrote a false time" in status["incomplete"][0]


def test_a103_a_false_time_lets_no_device_sign(office: GovernedOffice) -> None:
    change = office.json(["allowlist", "add", "grantee", "--address", stranger(1)])
    office.carry(change, "ann", "bo")
    office.wait(24)
    payment = office.draft_as("dora", "--to", "grantee=1btc")
    for name in ("ann", "bo"):
        payment = office.approve(name, payment)
    assert payment["decision"]["allowed"] is True
    claim_a_later_time(office)
    office.json(["coins", "sync"], exit_code=9)
    sign = ["proposal", "sign", payment["proposal_id"], "--simulator", 1, "--confirm-sats", payment["confirm_sats"]]
    refused = office.error(sign, exit_code=4)
    assert "somebody wrote a false time" in refused["message"]
