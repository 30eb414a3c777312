"""A partner builds the same vault from what was shared; the shared files hold none of our words."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import click
import pytest

from custody.documents.strict_yaml import load
from custody_cli.app import root
from support.cli import run, run_json
from support.governed import policy_text
from support.governed_office import GovernedOffice
from support.rehearsal import Rehearsal, stranger
from support.ssh import SshKeygen
from support.vaults import make_keys

PEOPLE = {
    "zqdorothea": ("drafter", "signer"),
    "zqannabel": ("administrator", "approver"),
    "zqboleslaw": ("administrator", "approver"),
    "zqcyprian": ("zqboard", "signer"),
    "zqaudrey": ("auditor",),
}
POLICY = "# zqcomment: agreed with zqministry\n" + policy_text(unlisted="routine", routine="7.77777777btc").replace(
    "board", "zqboard"
).replace("name: test-reserve", "name: zqreserve").replace("name: sweep", "name: zqsweep # zqcomment").replace(
    "[recovery]", "[zqrecovery]"
).replace("keep_apart: []", "keep_apart: [zqmining, zqgrants]")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, ssh_keygen: SshKeygen) -> GovernedOffice:
    """A governed vault with a word beginning with `zq` wherever a person can write one, and a payment under way."""
    folder = tmp_path_factory.mktemp("share")
    made: Rehearsal = GovernedOffice(folder / "zqfolder", PEOPLE, ssh_keygen)
    assert isinstance(made, GovernedOffice)
    made.found(POLICY, folder)
    for cosigner, custodian in (("c1", "Zqcustodian One"), ("c2", "Zqcustodian One"), ("c3", "Zqcustodian Two")):
        describe = ["cosigner", "describe", cosigner, "--device", "jade", "--firmware", "1.0.36"]
        made.json([*describe, "--custodian", custodian, "--place", "zqbunker, https://zqplace.example/x"])
    made.mine_to([made.json(["address", "next", "--label", "zqlabel"])["address"] for _ in range(2)])
    allow = made.json(["allowlist", "add", "zqpayee", "--address", stranger(5), "--note", "zqnote"])
    made.carry(allow, "zqannabel", "zqboleslaw")
    made.draft_as("zqdorothea", "--to", f"{stranger(5)}=1.23456789btc", "--reason", "zqreason 1.23456789 for zqpayee")
    attest = [
        "address",
        "attest",
        "--next",
        "--purpose",
        "zqpurpose",
        "--payer",
        "zqpayer",
        "--amount",
        "3.33333333btc",
    ]
    made.as_("zqannabel", [*attest, "--key", made.key("zqannabel")])
    return made


def told(office: GovernedOffice) -> set[str]:
    """Return everything in the journal and the vault file that is long enough to be found, words of theirs and ids."""
    journal = office.run(["journal", "export"]).stdout
    words = set(re.findall(r"[A-Za-z0-9+/_-]{12,}", journal + (office.folder / "vault.yaml").read_text()))
    # What is the same in every vault on earth isn't about this one.
    other = run(["policy", "template", "central-bank"]).stdout + Path(__file__).read_text().replace("zq", "")
    ours = {word for word in words if word not in other and not re.fullmatch(r"[a-z_]+", word)}
    return ours | set(re.findall(r"zq[a-z]+", journal.lower())) | {"1.23456789", "3.33333333", "7.77777777", "jade"}


def assert_tells_nothing(text: str, words: set[str]) -> None:
    lowered = text.lower()
    assert "zq" not in lowered
    assert "zq"[::-1] + "d" not in lowered
    leaks = set()
    for word in words:
        plain = word.lower()
        forms = (plain, plain[::-1], plain.encode().hex(), base64.b64encode(word.encode()).decode().lower()[:-4])
        leaks |= {word for form in forms if len(form) >= 4 and form in lowered}
    assert leaks == set()


def test_what_is_shared_tells_nothing_and_is_input_again(office: GovernedOffice, tmp_path: Path) -> None:
    words = told(office)
    assert len(words) > 100
    policy, template = tmp_path / "policy.yaml", tmp_path / "template.yaml"
    office.json(["policy", "share", "-o", policy])
    office.json(["vault", "template", "-o", template])
    for path in (policy, template):
        assert_tells_nothing(path.read_text(), words)
    assert run_json(["policy", "check", policy])["ok"] is True
    assert run(["policy", "share"]).exit_code == 6
    printed = office.run(["policy", "share"])
    assert printed.stdout == policy.read_text()
    again = run_json(["policy", "share", policy])
    assert again["policy"] == policy.read_text()
    assert office.refused("zqannabel", ["policy", "share", "-o", policy], exit_code=7)["error"] == "FILE_EXISTS"
    document: Any = load(template.read_text())
    assert [one["custodian"] for one in document["cosigners"]] == ["custodian-01", "custodian-01", "custodian-02"]
    assert document["officers"][3]["roles"] == ["role-01", "signer"]
    commented = tmp_path / "commented.yaml"
    commented.write_text(POLICY)
    assert run(["policy", "share", commented]).stdout == policy.read_text()
    kept = office.json(["policy", "share", "--keep-amounts"])["policy"]
    assert "777777777sat" in kept
    assert_tells_nothing(kept.replace("777777777sat", ""), words)


def test_a_template_becomes_a_vault_by_filling_in_keys(office: GovernedOffice, tmp_path: Path) -> None:
    document: Any = load(office.json(["vault", "template"])["template"])
    keys = make_keys(3, seed=9)
    filled = {f"KEY_{number}": key.to_text(office.vault.network) for number, key in enumerate(keys, 1)}
    filled |= {"DIR": str(tmp_path / "theirs"), "NAME": "theirs"}
    words = ["=".join(filled.get(part, part) for part in word.split("=", 1)) for word in document["create"]]
    assert words[0] == "custody"
    made = run_json(words[1:])
    assert (made["network"], made["script"], made["threshold"]) == ("regtest", "wsh-sortedmulti", 2)
    assert [one["name"] for one in made["cosigners"]] == ["cosigner-01", "cosigner-02", "cosigner-03"]
    # Another vault than ours, of the same structure: its own template is ours without officers and devices.
    theirs: Any = load(run_json(["--vault", tmp_path / "theirs", "vault", "template"])["template"])
    assert theirs["create"] == document["create"]


def test_every_command_of_the_ceremony_exists_with_its_options(office: GovernedOffice) -> None:
    document: Any = load(office.json(["vault", "template"])["template"])
    commands = [step["command"] for step in document["ceremony"] if step["command"] is not None]
    assert len(commands) == len(document["ceremony"]) - 1
    assert [step["step"] for step in document["ceremony"]] == [*range(1, len(document["ceremony"]) + 1)]
    for command in commands:
        program, *words = command.split()
        assert program == "custody"
        found: click.Command = root
        context = click.Context(found, info_name="custody")
        while isinstance(found, click.Group):
            inner = found.get_command(context, words.pop(0))
            assert inner is not None, command
            found = inner
            context = click.Context(found, parent=context, info_name=found.name)
        options = {option for one in found.get_params(context) for option in one.opts}
        assert {word for word in words if word.startswith("--") or word == "-o"} <= options, command


def test_a_vault_file_alone_gives_its_structure(office: GovernedOffice) -> None:
    answer = run_json(["vault", "template", "--vault-file", office.folder / "vault.yaml"])
    document: Any = load(answer["template"])
    assert (document["officers"], document["policy"]) == ([], None)
    assert [one["path"] for one in document["cosigners"]] == ["standard"] * 3
    assert not any("cosigner attest" in json.dumps(step) for step in document["ceremony"])
