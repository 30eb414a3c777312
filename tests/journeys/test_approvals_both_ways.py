"""Approvals by every kind of key, checked by two programs: `ssh-keygen -Y verify` accepts what we recorded, and we
accept what `ssh-keygen -Y sign` made by hand across an air gap."""

from pathlib import Path
from typing import Any

import pytest

from custody.documents.sshsig_keys import SshKeyType
from custody.workflow.office import open_office
from custody.workspace.layout import Workspace
from support.governed import policy_text
from support.governed_office import GovernedOffice
from support.rehearsal import stranger
from support.ssh import SoftSigner, SshKeygen

PEOPLE = {
    "dora": ("drafter",),
    "ann": ("administrator", "approver"),
    "bo": ("administrator", "approver"),
    "cy": ("board", "signer"),
}
KINDS = [
    SshKeyType.ED25519,
    SshKeyType.ECDSA_P256,
    SshKeyType.ECDSA_P384,
    SshKeyType.ECDSA_P521,
    SshKeyType.RSA,
    SshKeyType.SK_ED25519,
    SshKeyType.SK_ECDSA_P256,
]


class ManyKeys(GovernedOffice):
    """People `k-…`, one for each kind of key; two of them have tokens, played by a signer in memory."""

    def soft(self, name: str) -> SoftSigner:
        return SoftSigner(SshKeyType(KINDS[int(name[1:])]), seed=name)

    def kind(self, name: str) -> SshKeyType:
        return KINDS[int(name[1:])] if name[0] == "k" else SshKeyType.ED25519

    def is_token(self, name: str) -> bool:
        return self.kind(name) in (SshKeyType.SK_ED25519, SshKeyType.SK_ECDSA_P256)

    def key(self, name: str) -> Path:
        return self.keygen.key(self.kind(name), name)

    def public_key(self, name: str) -> Path:
        if not self.is_token(name):
            return Path(f"{self.key(name)}.pub")
        path = self.folder.parent / f"{name}.pub"
        path.write_text(self.soft(name).public.to_text() + "\n")
        return path


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, ssh_keygen: SshKeygen) -> ManyKeys:
    folder = tmp_path_factory.mktemp("kinds")
    made = ManyKeys(folder / "office", PEOPLE, ssh_keygen)
    made.found(policy_text(unlisted="routine", governance_waiting="0h"), folder)
    for number in range(len(KINDS)):
        change = ["officer", "add", f"k{number}", "--role", "approver", "--key", made.public_key(f"k{number}")]
        made.carry(made.json(change), "ann", "bo")
    made.mine_to([made.json(["address", "next"])["address"] for _ in range(4)])
    return made


@pytest.fixture(scope="module")
def proposal(office: ManyKeys) -> Any:
    return office.draft_as("dora", "--to", f"{stranger(1)}=1btc", "--hold")


def recorded(office: ManyKeys, proposal: Any, name: str) -> str:
    """Return the signature that the journal holds."""
    record = open_office(Workspace(office.folder)).state.proposals[proposal["proposal_id"]]
    return next(one.signature for one in record.statements if one.officer == name)


def exported(office: ManyKeys, proposal: Any, name: str, folder: Path) -> Path:
    """Write the statement as an officer gets it."""
    path = folder / f"{name}.txt"
    command = ["proposal", "export", proposal["proposal_id"], "--statement", "-o", path]
    office.as_(name, command)
    return path


@pytest.mark.parametrize("number", range(len(KINDS)), ids=[str(kind) for kind in KINDS])
def test_what_we_record_and_what_ssh_keygen_makes_is_accepted_by_the_other(
    office: ManyKeys, proposal: Any, tmp_path: Path, number: int
) -> None:
    name = f"k{number}"
    statement = exported(office, proposal, name, tmp_path)
    approve = ["proposal", "approve", proposal["proposal_id"]]
    if office.is_token(name) or number % 2:
        # By hand: the statement went to another machine, the signature came back as a file.
        signature = tmp_path / "statement.txt.sig"
        text = statement.read_bytes()
        armored = (
            office.soft(name).sign(text, namespace="custody-approve/1")
            if office.is_token(name)
            else office.keygen.sign(office.key(name), text, "custody-approve/1")
        )
        signature.write_text(armored)
        shown = office.as_(name, [*approve, "--signature", signature])
    else:
        shown = office.as_(name, [*approve, "--key", office.key(name)])
    assert name in shown["approved_by"]
    public = office.public_key(name).read_text()
    ours = recorded(office, proposal, name)
    assert office.keygen.accepts(public, ours, statement.read_bytes(), "custody-approve/1")
    assert not office.keygen.accepts(public, ours, statement.read_bytes() + b" ", "custody-approve/1")
    assert not office.keygen.accepts(public, ours, statement.read_bytes(), "custody-propose/1")


def test_a_touch_that_did_not_happen_is_refused_though_ssh_keygen_accepts_it(office: ManyKeys, tmp_path: Path) -> None:
    drafted = office.draft_as("dora", "--to", f"{stranger(2)}=1btc", "--hold")
    statement = exported(office, drafted, "k5", tmp_path)
    absent = SoftSigner(SshKeyType.SK_ED25519, seed="k5", flags=0)
    signature = tmp_path / "absent.sig"
    signature.write_text(absent.sign(statement.read_bytes(), namespace="custody-approve/1"))
    public = office.public_key("k5").read_text()
    assert office.keygen.accepts(public, signature.read_text(), statement.read_bytes(), "custody-approve/1")
    command = ["proposal", "approve", drafted["proposal_id"], "--signature", signature]
    assert office.refused("k5", command, exit_code=3)["error"] == "SSHSIG_NO_PRESENCE"


def test_a_signature_that_names_an_older_governance_statement_still_fits(office: ManyKeys, tmp_path: Path) -> None:
    drafted = office.draft_as("dora", "--to", f"{stranger(3)}=1btc", "--hold")
    statement = exported(office, drafted, "ann", tmp_path)
    change = office.json(["allowlist", "add", "later", "--address", stranger(4)])
    office.carry(change, "ann", "bo")
    signature = tmp_path / "statement.sig"
    signature.write_text(office.keygen.sign(office.key("ann"), statement.read_bytes(), "custody-approve/1"))
    shown = office.as_("ann", ["proposal", "approve", drafted["proposal_id"], "--signature", signature])
    assert shown["approved_by"] == ["ann"]
