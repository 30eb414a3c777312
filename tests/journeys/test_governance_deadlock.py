"""The drill for a governance that is stuck: no backdoor opens it; a new founding does, by the signers' own new pins."""

from pathlib import Path

from support.cli import run, run_json
from support.governed import policy_text
from support.governed_office import GovernedOffice
from support.rehearsal import stranger
from support.ssh import SshKeygen

OLD = {
    "dora": ("drafter",),
    "ann": ("administrator", "approver"),
    "bo": ("administrator", "approver"),
    "cy": ("board", "signer"),
}
NEW = {
    "dina": ("drafter",),
    "abe": ("administrator", "approver"),
    "bea": ("administrator", "approver"),
    "cid": ("board", "signer"),
}


class Refounded(GovernedOffice):
    """The same vault in a new folder, with new people."""

    def __init__(self, first: GovernedOffice, folder: Path) -> None:
        self.folder, self.vault, self.people, self.keygen = folder, first.vault, NEW, first.keygen
        run_json(["vault", "import", first.folder / "vault.yaml", folder])


def bundle_of(office: GovernedOffice, drafter: str, folder: Path) -> Path:
    """Draft a payment, let two approvers approve it, and return the signer's bundle."""
    payment = office.draft_as(drafter, "--to", f"{stranger(5)}=1btc")
    for name, roles in office.people.items():
        if "approver" in roles:
            office.approve(name, payment)
    path = folder / f"{drafter}.bundle"
    office.json(["proposal", "export", payment["proposal_id"], "--bundle", "-o", path])
    return path


def review(bundle: Path, vault_file: Path, pin: Path, *, exit_code: int) -> dict[str, object]:
    answer: dict[str, object] = run_json(
        ["psbt", "review", bundle, "--vault-file", vault_file, "--pin", pin], exit_code=exit_code
    )
    return answer


def create_pin(bundle: Path, vault_file: Path, pin: Path, founding: str) -> None:
    command = ["pin", "create", bundle, "--vault-file", vault_file, "--pin", pin, "--confirm-digest", founding[:8]]
    assert run(command).exit_code == 0


def test_lost_keys_stop_governance_and_a_new_founding_by_the_signers_goes_on(
    tmp_path: Path, ssh_keygen: SshKeygen
) -> None:
    office = GovernedOffice(tmp_path / "office", OLD, ssh_keygen)
    founding = office.found(policy_text(unlisted="routine"), tmp_path)["statement_digest"]
    office.mine_to([office.json(["address", "next"])["address"] for _ in range(3)])
    own_vault_file, old_pin = tmp_path / "signer-vault.yaml", tmp_path / "trust.yaml"
    own_vault_file.write_bytes((office.folder / "vault.yaml").read_bytes())
    create_pin(bundle_of(office, "dora", tmp_path), own_vault_file, old_pin, founding)

    # 1. Bo's key is gone. Two administrators are needed, so nothing that needs them can be completed any more.
    for words in (
        ["officer", "add", "new-bo", "--role", "administrator", "--key", office.public_key("newbo")],
        ["allowlist", "add", "elsewhere", "--address", stranger(9)],
    ):
        stuck = office.carry(office.json(words), "ann")
        assert stuck["status"] == "pending"
        assert "bo" in stuck["missing"][0]["from"]
    refused = office.error(["officer", "revoke", "bo"], exit_code=7)
    assert "enrol a successor first" in refused["message"]
    refused = office.error(["vault", "found", "--policy", tmp_path / "policy.yaml"], exit_code=7)
    assert "founded already" in refused["message"]

    # 2. The way out: the same vault, a new journal, new people, a new founding.
    again = Refounded(office, tmp_path / "new-office")
    assert again.vault.vault_id == office.vault.vault_id
    (tmp_path / "new").mkdir()
    new_founding = again.found(policy_text(unlisted="routine"), tmp_path / "new")["statement_digest"]
    assert new_founding != founding
    (again.folder / "chain" / "embedded").parent.mkdir(exist_ok=True)
    (office.folder / "chain" / "embedded").rename(again.folder / "chain" / "embedded")
    again.json(["coins", "sync"])
    bundle = bundle_of(again, "dina", tmp_path)

    # 3. A signer's old pin refuses it: nobody but the signer, who meets the new officers, can change that.
    codes = [one["code"] for one in review(bundle, own_vault_file, old_pin, exit_code=3)["findings"]]  # type: ignore[attr-defined]
    assert "PIN_MISMATCH" in codes
    assert run(["pin", "advance", bundle, "--vault-file", own_vault_file, "--pin", old_pin]).exit_code == 3
    new_pin = tmp_path / "new-trust.yaml"
    create_pin(bundle, own_vault_file, new_pin, new_founding)
    assert review(bundle, own_vault_file, new_pin, exit_code=0)["verdict"] in ("clean", "warned")
