"""A policy that wants commitments keeps addresses off the public page, by the command line."""

from pathlib import Path

from custody_cli.demo_audit import sign_folder
from support.governed import policy_text
from support.governed_office import GovernedOffice
from support.ssh import SshKeygen

PEOPLE = {
    "ann": ("administrator", "approver"),
    "bo": ("administrator", "approver"),
    "cy": ("board",),
    "dora": ("drafter",),
}
COMMITTED = "publication: {addresses: committed}\n"


def test_a_page_with_addresses_is_refused_and_one_of_commitments_written(tmp_path: Path, ssh_keygen: SshKeygen) -> None:
    office = GovernedOffice(tmp_path / "office", PEOPLE, ssh_keygen)
    office.found(policy_text() + COMMITTED, tmp_path)
    office.mine_to([office.json(["address", "next"])["address"]])
    challenge, proofs, statement = (tmp_path / name for name in ("challenge.json", "proofs", "statement.json"))
    who = ["--network", "regtest", "--holder", "Republic of Tests", "--purpose", "audit 2026"]
    office.json(["audit", "reserves", "challenge", *who, "-o", challenge])
    prove = ["audit", "reserves", "prove", "--challenge", challenge]
    office.json([*prove, "-o", proofs])
    assert sign_folder(office.vault, proofs, (1, 3)) == 1
    office.json([*prove, "--signed", proofs, "-o", statement])
    publish = ["audit", "publish", "--statement", statement, "-o", tmp_path / "page"]

    error = office.error(publish, exit_code=4)

    assert error["error"] == "PUBLICATION_FORBIDDEN"
    assert "--commitments" in error["advice"]
    assert not (tmp_path / "page").exists()
    office.json([*publish, "--commitments", "--salts", tmp_path / "salts.json"])
    shown = b"".join(path.read_bytes() for path in (tmp_path / "page").iterdir())
    assert office.json(["address", "list", "--count", "1"])["addresses"][0]["address"].encode() not in shown
