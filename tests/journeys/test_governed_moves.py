"""Under a policy: moves to ourselves, bumps, cancels, frozen coins, side-by-side drafts, caps, and who is named."""

from pathlib import Path
from typing import Any

import pytest

from custody.documents.sshsig_keys import SshKeyType
from support.governed import policy_text
from support.governed_office import GovernedOffice
from support.rehearsal import stranger
from support.ssh import SshKeygen

PEOPLE = {
    "dora": ("drafter", "signer"),
    "ann": ("administrator", "approver"),
    "bo": ("administrator", "approver"),
    "cy": ("board", "signer"),
    "audrey": ("auditor",),
}


@pytest.fixture
def office(tmp_path: Path, ssh_keygen: SshKeygen) -> GovernedOffice:
    """A 2-of-3 vault with six coins of 50 BTC; a day lets 60 BTC out."""
    made = GovernedOffice(tmp_path / "office", PEOPLE, ssh_keygen)
    made.found(policy_text(unlisted="routine", day="60btc", routine="50btc"), tmp_path)
    made.mine_to([made.json(["address", "next"])["address"] for _ in range(6)])
    return made


def approved(office: GovernedOffice, proposal: Any, *names: str) -> Any:
    for name in names:
        proposal = office.approve(name, proposal)
    return proposal


def test_drafts_side_by_side_can_not_each_pass_alone(office: GovernedOffice) -> None:
    drafts = [office.draft_as("dora", "--to", f"{stranger(number)}=40btc") for number in range(3)]
    approved(office, drafts[0], "ann")
    refused = office.refused(
        "ann", ["proposal", "approve", drafts[1]["proposal_id"], "--key", office.key("ann")], exit_code=4
    )
    assert "day" in refused["message"] and "60 BTC" in refused["message"]
    shown = office.show(drafts[2])
    assert shown["decision"]["allowed"] is False
    assert "payment.limits.day" in [one["rule"] for one in shown["decision"]["rules"] if one["effect"] == "forbid"]
    approved(office, drafts[0], "bo")
    office.send(drafts[0], 1, 2)


def test_a_move_a_bump_and_a_cancel_have_rules_of_their_own(office: GovernedOffice) -> None:
    own = office.json(["address", "next"])["address"]
    move = office.draft_as("dora", "--to", f"{own}=45btc")
    assert move["kind"] == "internal"
    move = approved(office, move, "ann")
    assert move["decision"]["allowed"] is True
    office.send(move, 1, 3)
    bump = office.as_("dora", ["proposal", "bump", move["proposal_id"], "--fee-rate", "20"])
    assert bump["kind"] == "bump"
    propose = ["proposal", "approve", bump["proposal_id"], "--propose", "--key", office.key("dora")]
    bump = approved(office, office.as_("dora", propose), "bo")
    assert bump["decision"]["allowed"] is True, bump["decision"]
    sign = ["proposal", "sign", bump["proposal_id"], "--simulator", 2, "--confirm-sats", bump["confirm_sats"]]
    office.json(sign)
    payment = office.draft_as("dora", "--to", f"{stranger(1)}=1btc")
    cancel = office.as_("dora", ["proposal", "cancel", payment["proposal_id"], "--fee-rate", "20"])
    propose[2] = cancel["proposal_id"]
    cancel = approved(office, office.as_("dora", propose), "ann")
    assert (cancel["kind"], cancel["decision"]["allowed"]) == ("cancel", True)


def test_a_frozen_coin_comes_free_by_a_signed_change(office: GovernedOffice) -> None:
    coin = office.json(["coins", "list"])["coins"][0]
    outpoint = f"{coin['txid']}:{coin['vout']}"
    office.json(["coins", "freeze", outpoint, "--reason", "claimed by two"])
    change = office.json(["coins", "unfreeze", outpoint, "--reason", "settled"])
    assert (change["kind"], change["status"]) == ("unfreeze", "pending")
    assert office.json(["coins", "list"])["coins"][0]["frozen"] is True
    assert office.carry(change, "ann", "bo")["status"] == "in-force"
    assert office.json(["coins", "list"])["coins"][0]["frozen"] is False
    assert office.error(["coins", "unfreeze", outpoint], exit_code=7)["error"] == "NOTHING_TO_DO"


def test_fee_caps_of_the_policy_hold(office: GovernedOffice) -> None:
    refused = office.refused(
        "dora", ["proposal", "draft", "--to", f"{stranger(1)}=1btc", "--fee-rate", "600"], exit_code=4
    )
    assert "500 sat/vB" in refused["message"]


def test_who_drafts_is_named_and_has_the_role(office: GovernedOffice) -> None:
    draft = ["proposal", "draft", "--to", f"{stranger(1)}=1btc", "--fee-rate", "5"]
    assert office.error(draft, exit_code=2)["error"] == "USAGE"
    refused = office.refused("ann", draft, exit_code=3)
    assert (refused["error"], "dora" in refused["advice"]) == ("APPROVER_NOT_AUTHORISED", True)
    (office.folder / "custody.yaml").write_text("format: custody-settings/1\nofficer: dora\n")
    assert office.json(draft)["drafter"] == "dora"


def test_a_private_key_is_refused_and_nothing_of_it_repeated(office: GovernedOffice) -> None:
    private = office.keygen.key(SshKeyType.ED25519, "eve")
    result = office.run(["officer", "add", "eve", "--role", "approver", "--key", private, "--json"])
    assert result.exit_code == 6
    assert result.error["error"] == "SECRET_MATERIAL"
    body = "".join(private.read_text().splitlines()[1:-1])
    assert not any(body[start : start + 12] in result.stdout + result.stderr for start in range(0, len(body), 12))


def test_an_unknown_emergency_path_is_forbidden(office: GovernedOffice) -> None:
    command = ["proposal", "draft", "--to", f"{stranger(1)}=1btc", "--fee-rate", "5", "--emergency", "backdoor"]
    assert office.refused("dora", command, exit_code=4)["error"] == "POLICY_DENIED"


def test_before_the_founding_nothing_can_be_changed_or_approved(tmp_path: Path, ssh_keygen: SshKeygen) -> None:
    bare = GovernedOffice(tmp_path / "bare", PEOPLE, ssh_keygen)
    bare.mine_to([bare.json(["address", "next"])["address"]])
    drafted = bare.json(["proposal", "draft", "--to", f"{stranger(1)}=1btc", "--fee-rate", "5"])
    assert drafted["decision"]["reasons"] == ["NO_POLICY_ADOPTED"]
    for words in (
        ["allowlist", "add", "exchange", "--address", stranger(1)],
        ["policy", "suspend"],
        ["proposal", "approve", drafted["proposal_id"], "--key", bare.key("ann")],
        ["journal", "checkpoint", "--key", bare.key("ann")],
    ):
        assert bare.refused("ann", words, exit_code=7)["error"] == "NOT_FOUNDED"
    assert bare.error(["vault", "found", "--policy", _policy(tmp_path)], exit_code=7)["error"] == "NOT_FOUNDED"
    assert bare.error(["change", "show"], exit_code=6)["error"] == "CHANGE_UNKNOWN"


def _policy(folder: Path) -> Path:
    path = folder / "policy.yaml"
    path.write_text(policy_text())
    return path
