"""A65, A121: somebody who can append writes device signatures that nobody made, or signs early with the one device
that they hold: neither ends a waiting time, nor keeps alive an approval that is being revoked."""

from pathlib import Path
from typing import Any

import pytest

from custody.bitcoin.psbt import Psbt
from custody.workflow.office import editing, open_office
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
    "ava": ("administrator", "approver"),
    "cy": ("board", "signer"),
}


@pytest.fixture
def office(tmp_path: Path, ssh_keygen: SshKeygen) -> GovernedOffice:
    made = GovernedOffice(tmp_path / "office", PEOPLE, ssh_keygen)
    made.found(policy_text(unlisted="routine", waiting="6h"), tmp_path)
    made.mine_to([made.json(["address", "next"])["address"] for _ in range(2)])
    return made


def append_signatures(office: GovernedOffice, proposal: Any, *, genuine: bool) -> None:
    """Write signatures of device 1 into the journal, past the program: its own, or what nobody made."""
    record = open_office(Workspace(office.folder)).state.proposals[proposal["proposal_id"]]
    signed = Psbt.parse(office.device(1).sign(record.psbt.serialize()))
    rows = [
        {
            "input": number,
            "public_key": one.public_key.hex(),
            "signature": one.signature.hex() if genuine else one.signature.hex()[:-4] + "0001",
        }
        for number, psbt_input in enumerate(signed.inputs)
        for one in psbt_input.partial_signatures
    ]
    with editing(Workspace(office.folder), surroundings_of(Session(vault_directory=office.folder))) as desk:
        body: Any = {"proposal_id": proposal["proposal_id"], "source": "insider", "signatures": rows}
        desk.record([("signatures_added", body)])


def approved(office: GovernedOffice) -> Any:
    payment = office.draft_as("dora", "--to", f"{stranger(1)}=1btc")
    for name in ("ann", "bo"):
        payment = office.approve(name, payment)
    return payment


@pytest.mark.parametrize("genuine", [True, False])
def test_a65_a121_an_early_or_false_signature_ends_no_waiting_time(office: GovernedOffice, genuine: bool) -> None:
    payment = approved(office)
    append_signatures(office, payment, genuine=genuine)
    sign = ["proposal", "sign", payment["proposal_id"], "--simulator", 2, "--confirm-sats", payment["confirm_sats"]]
    refused = office.error(sign, exit_code=5)
    assert refused["error"] == "APPROVALS_MISSING"
    assert "6 hours" in refused["message"]


def test_a65_a121_a_false_signature_keeps_no_revoked_approval_alive(office: GovernedOffice) -> None:
    payment = approved(office)
    append_signatures(office, payment, genuine=False)
    change = office.json(["officer", "revoke", "bo"])
    assert office.carry(change, "ann", "ava")["status"] == "in-force"
    shown = office.show(payment)
    assert (shown["approved_by"], shown["void_approvals"]) == (["ann"], ["bo"])
