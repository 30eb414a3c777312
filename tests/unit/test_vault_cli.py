"""`custody vault …` and `custody address list | verify` through the real command line."""

import json
import stat
from pathlib import Path

import pytest

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.network import Network
from support.cli import run, run_json
from support.vaults import create_arguments, make_vault, rechecksummed

SHOW_KEYS = {
    "vault_id",
    "document_digest",
    "name",
    "network",
    "script",
    "threshold",
    "cosigners",
    "descriptor",
    "first_address",
}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    created = run(create_arguments(make_vault(), tmp_path / "reserve"))
    assert created.exit_code == 0, created.stderr
    return tmp_path / "reserve"


@pytest.mark.parametrize("script_type", list(ScriptType))
@pytest.mark.parametrize("network", list(Network))
def test_create_then_show(tmp_path: Path, network: Network, script_type: ScriptType) -> None:
    vault = make_vault(2, 3, network=network, script_type=script_type)
    created = run_json(create_arguments(vault, tmp_path / "reserve"))
    shown = run_json(["--vault", tmp_path / "reserve", "vault", "show"])
    assert set(shown) >= SHOW_KEYS
    assert {key: created[key] for key in SHOW_KEYS} == {key: shown[key] for key in SHOW_KEYS}
    assert shown["vault_id"] == vault.vault_id
    assert shown["script"] == str(script_type)
    assert shown["first_address"] == vault.first_address
    assert "<0;1>" in shown["descriptor"]
    assert "#" in shown["descriptor"]
    assert shown["cosigners"][0] == {
        "name": "ann",
        "key": vault.cosigners[0].key.to_text(network),
        "fingerprint": vault.cosigners[0].fingerprint.hex(),
    }


def test_create_leaves_private_files_and_nothing_beside_them(workspace: Path) -> None:
    assert sorted(path.name for path in workspace.iterdir()) == ["chain", "inbox", "journal.db", "outbox", "vault.yaml"]
    assert [path.name for path in workspace.parent.iterdir()] == ["reserve"]
    assert stat.S_IMODE(workspace.stat().st_mode) == 0o700
    assert stat.S_IMODE((workspace / "vault.yaml").stat().st_mode) == 0o600


def test_create_in_a_folder_that_is_taken_is_exit_7_and_writes_nothing(workspace: Path, tmp_path: Path) -> None:
    before = (workspace / "vault.yaml").read_bytes()
    again = run([*create_arguments(make_vault(seed=2), workspace), "--json"])
    assert (again.exit_code, again.error["error"], again.stdout) == (7, "VAULT_EXISTS", "")
    assert (workspace / "vault.yaml").read_bytes() == before
    file = tmp_path / "file"
    file.write_text("x")
    assert run(create_arguments(make_vault(), file)).exit_code == 7
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert run(create_arguments(make_vault(), tmp_path / "link")).exit_code == 7
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link", "reserve"]


def test_create_takes_an_empty_folder_and_needs_a_parent(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run(create_arguments(make_vault(), tmp_path / "empty")).exit_code == 0
    assert run(create_arguments(make_vault(), tmp_path / "no" / "where")).exit_code == 6
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_create_refuses_bad_keys_before_anything_is_written(tmp_path: Path) -> None:
    vault = make_vault()
    key = vault.cosigners[0].key.to_text(vault.network)
    arguments = [*create_arguments(vault, tmp_path / "r"), f"--cosigner=zed={key}", "--json"]
    refused = run(arguments)
    assert (refused.exit_code, refused.error["error"]) == (6, "DUPLICATE_COSIGNER")
    for bad in ("zed", f"Zed={key}", "zed=", "zed=xpub"):
        assert run([*create_arguments(vault, tmp_path / "r"), f"--cosigner={bad}"]).exit_code in (2, 6)
    assert list(tmp_path.iterdir()) == []


def test_create_converts_slip132_keys_and_says_so(tmp_path: Path) -> None:
    from custody.bitcoin.encoding import base58check_encode

    vault = make_vault()
    first = vault.cosigners[0].key
    slip = base58check_encode(bytes.fromhex("02575483") + first.key.to_bytes78(vault.network)[4:])
    arguments = [
        str(item).replace(first.key.to_base58(vault.network), slip) for item in create_arguments(vault, tmp_path / "r")
    ]
    created = run_json(arguments)
    assert created["vault_id"] == vault.vault_id
    assert [(item["code"], item["where"]) for item in created["findings"]] == [("SLIP132_CONVERTED", "cosigner:ann")]


def test_there_is_no_default_network(tmp_path: Path) -> None:
    arguments = create_arguments(make_vault(), tmp_path / "r")
    at = arguments.index("--network")
    refused = run([*arguments[:at], *arguments[at + 2 :]])
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--network" in refused.stderr


@pytest.mark.parametrize("kind", ["vault", "descriptor", "core"])
def test_each_export_comes_back_through_import(workspace: Path, tmp_path: Path, kind: str) -> None:
    vault = make_vault()
    exported = run(["--vault", workspace, "vault", "export", "--format", kind])
    assert exported.exit_code == 0
    returned = run_json(
        ["vault", "import", "-", tmp_path / "back", "--name", "back", "--network", "regtest"], exported.stdout
    )
    assert (returned["vault_id"], returned["name"]) == (vault.vault_id, "back")
    compared = run_json(["vault", "compare", workspace, tmp_path / "back"])
    assert compared["same"] is True


def test_export_to_a_file_never_overwrites(workspace: Path, tmp_path: Path) -> None:
    arguments = ["--vault", workspace, "vault", "export", "--format", "core", "-o", tmp_path / "core.json"]
    assert run(arguments).exit_code == 0
    assert json.loads((tmp_path / "core.json").read_text())[1]["internal"] is True
    again = run([*arguments, "--json"])
    assert (again.exit_code, again.error["error"]) == (7, "FILE_EXISTS")


def test_import_with_an_expected_descriptor(workspace: Path, tmp_path: Path) -> None:
    vault, other = make_vault(), make_vault(seed=2)
    file = tmp_path / "d"
    file.write_text(vault.descriptor_text + "\n")
    base = ["vault", "import", file, tmp_path / "back", "--name", "x", "--network", "regtest", "--json"]
    refused = run([*base, "--expect-descriptor", other.descriptor_text])
    assert (refused.exit_code, refused.error["error"], refused.stdout) == (3, "COSIGNER_MISMATCH", "")
    multi = rechecksummed(vault.descriptor_text.replace("sortedmulti", "multi"))
    refused = run([*base, "--expect-descriptor", multi])
    assert (refused.exit_code, refused.error["error"]) == (3, "VAULT_MISMATCH")
    assert not (tmp_path / "back").exists()
    assert run([*base, "--expect-descriptor", vault.descriptor_text]).exit_code == 0


def test_compare_different_vaults_is_exit_3_with_an_answer(workspace: Path, tmp_path: Path) -> None:
    run(create_arguments(make_vault(seed=2), tmp_path / "other"))
    compared = run(["vault", "compare", workspace, tmp_path / "other", "--json"])
    assert (compared.exit_code, compared.stderr, compared.json["same"]) == (3, "", False)
    assert compared.json["findings"][0]["code"] == "COSIGNER_MISMATCH"


def test_verify_says_yes_on_an_untouched_workspace(workspace: Path) -> None:
    verified = run_json(["vault", "verify", "--vault", workspace])
    assert verified["ok"] is True
    assert [(check["name"], check["ok"]) for check in verified["checks"]] == [
        ("keys", True),
        ("engines", True),
        ("adopted", True),
    ]


def test_a_changed_vault_file_is_exit_10_everywhere(workspace: Path) -> None:
    other = make_vault(seed=2)
    from custody.vault.formats import vault_file

    (workspace / "vault.yaml").write_text(vault_file.write(other))
    verified = run(["vault", "verify", "--vault", workspace, "--json"])
    assert (verified.exit_code, verified.stderr, verified.json["ok"]) == (10, "", False)
    assert verified.json["findings"][-1]["code"] == "WORKSPACE_ALTERED"
    for verb in (["vault", "show"], ["vault", "export", "--format", "core"], ["address", "list"]):
        refused = run(["--vault", workspace, *verb, "--json"])
        assert (refused.exit_code, refused.error["error"]) == (10, "WORKSPACE_ALTERED")


def test_a_broken_vault_file_and_a_missing_journal_are_exit_10(workspace: Path) -> None:
    good = (workspace / "vault.yaml").read_text()
    (workspace / "vault.yaml").write_text("junk")
    for verb in ("verify", "show"):
        assert run(["vault", verb, "--vault", workspace]).exit_code == 10
    (workspace / "vault.yaml").write_text(good)
    (workspace / "journal.db").unlink()
    refused = run(["vault", "show", "--vault", workspace, "--json"])
    assert (refused.exit_code, refused.error["error"]) == (10, "JOURNAL_MISSING")
    assert run(["vault", "show", "--vault-file", workspace / "vault.yaml"]).exit_code == 0


def test_only_the_content_of_the_vault_file_counts(workspace: Path) -> None:
    path = workspace / "vault.yaml"
    path.write_text(path.read_text() + "\n\n")
    assert run(["vault", "show", "--vault", workspace]).exit_code == 0


def test_the_workspace_is_found_from_within_by_option_and_by_environment(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace / "inbox")
    assert run(["vault", "show"]).exit_code == 0
    monkeypatch.chdir(workspace.parent)
    assert run(["vault", "show"]).exit_code == 6
    assert run(["vault", "show"], env={"CUSTODY_VAULT": str(workspace)}).exit_code == 0
    assert run(["vault", "show", "--vault", workspace]).exit_code == 0
    assert run(["vault", "--vault", workspace, "show"]).exit_code == 0
    assert run(["--vault", workspace.parent, "vault", "show"], env={"CUSTODY_VAULT": str(workspace)}).exit_code == 6


def test_create_and_import_end_with_addresses_to_compare(tmp_path: Path) -> None:
    vault = make_vault()
    text = run(create_arguments(vault, tmp_path / "r")).stdout.replace(" ", "")
    for branch in (0, 1):
        for index in range(3):
            assert vault.address_at(branch, index) in text
    assert vault.vault_id in text


def test_birth_height_actor_and_ungoverned_are_recorded(tmp_path: Path) -> None:
    from custody.workspace.sqlite_store import SqliteJournal

    arguments = create_arguments(make_vault(), tmp_path / "r")
    run(["--as", "dora", *arguments, "--birth-height", "800000", "--ungoverned"])
    assert run_json(["vault", "show", "--vault", tmp_path / "r"])["birth_height"] == 800_000
    (entry,) = SqliteJournal(tmp_path / "r" / "journal.db").entries()
    assert (entry.kind, entry.actor, entry.body["ungoverned"]) == ("vault_adopted", "dora", True)


def test_address_list_is_what_the_descriptor_derives(workspace: Path) -> None:
    vault = make_vault()
    listed = run_json(["--vault", workspace, "address", "list", "--branch", "change", "--start", 5, "--count", 3])
    assert listed["network"] == "regtest"
    assert listed["addresses"] == [
        {
            "branch": "change",
            "index": index,
            "address": vault.address_at(1, index),
            "script_pubkey": vault.deriver.at(1, index).script_pubkey.hex(),
        }
        for index in (5, 6, 7)
    ]


def test_address_list_ends_at_the_last_index(workspace: Path) -> None:
    listed = run_json(["--vault", workspace, "address", "list", "--start", 2**31 - 1])
    assert [row["index"] for row in listed["addresses"]] == [2**31 - 1]
    assert run(["--vault", workspace, "address", "list", "--start", 2**31]).exit_code == 2


def test_address_verify_says_where_or_no(workspace: Path) -> None:
    vault = make_vault()
    base = ["address", "verify", "--vault-file", workspace / "vault.yaml", "--count", 300]
    assert run_json([*base, vault.address_at(1, 299)]) == {
        "address": vault.address_at(1, 299),
        "ours": True,
        "branch": "change",
        "index": 299,
        "searched": 300,
    }
    foreign = make_vault(seed=2).first_address
    answer = run([*base, foreign, "--json"])
    assert (answer.exit_code, answer.stderr) == (3, "")
    assert answer.json == {"address": foreign, "ours": False, "branch": None, "index": None, "searched": 300}
    assert run([*base, vault.address_at(0, 300)]).exit_code == 3
    assert run([*base, make_vault(network=Network.MAIN).first_address]).exit_code == 6
    assert run([*base, "nonsense"]).exit_code == 6


def test_reading_commands_write_nothing(workspace: Path) -> None:
    def snapshot() -> dict[str, tuple[int, bytes]]:
        return {
            str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in workspace.rglob("*") if path.is_file()
        }

    before = snapshot()
    for verb in (["vault", "show"], ["vault", "verify"], ["vault", "export", "--format", "vault"], ["address", "list"]):
        assert run(["--vault", workspace, *verb]).exit_code == 0
    assert snapshot() == before


def test_import_tells_the_format_and_the_first_addresses(workspace: Path, tmp_path: Path) -> None:
    exported = tmp_path / "wallet.json"
    run_json(["--vault", workspace, "vault", "export", "--format", "caravan", "-o", exported])
    named = ["--name", "again", "--network", "regtest"]
    imported = run_json(["vault", "import", exported, tmp_path / "again", *named])
    first = imported["first_addresses"]
    assert imported["format"] == "caravan"
    assert [(one["branch"], one["index"]) for one in first] == [
        (branch, index) for branch in ("receive", "change") for index in range(3)
    ]
    assert first[0]["address"] == imported["first_address"]


def test_compare_reads_any_format_and_takes_the_network_of_the_other_side(workspace: Path, tmp_path: Path) -> None:
    exported = tmp_path / "wallet.json"
    run_json(["--vault", workspace, "vault", "export", "--format", "sparrow", "-o", exported])
    for pair in ([workspace, exported], [exported, workspace], [exported, exported, "--network", "regtest"]):
        compared = run_json(["vault", "compare", *pair])
        assert (compared["same"], compared["findings"]) == (True, [])
    assert run(["vault", "compare", exported, exported]).exit_code == 2
    other = run(["vault", "compare", workspace, exported, "--network", "signet", "--json"])
    assert (other.exit_code, other.error["error"]) == (6, "NETWORK_MISMATCH")


def test_compare_says_in_words_what_differs(workspace: Path, tmp_path: Path) -> None:
    mine = make_vault()
    other = make_vault(3, 4, seed=2, script_type=ScriptType.SH_WSH_SORTEDMULTI)
    (tmp_path / "other.txt").write_text(other.descriptor.single_branch_text(0, other.network))
    (tmp_path / "mine.txt").write_text(mine.descriptor_text)
    compared = run_json(
        ["vault", "compare", tmp_path / "mine.txt", tmp_path / "other.txt", "--network", "regtest"], exit_code=3
    )
    messages = " / ".join(finding["message"] for finding in compared["findings"])
    for words in (
        "key 1 of the first vault",
        "key 4 of the second vault",
        "needs 2 signatures, the second vault needs 3 signatures",
        "has 3 keys, the second vault has 4 keys",
        "has the script wsh-sortedmulti, the second vault has the script sh-wsh-sortedmulti",
        "covers the branches receive and change, the second vault covers the branches receive",
    ):
        assert words in messages


def test_import_names_the_holders_of_keys_by_their_fingerprints(workspace: Path, tmp_path: Path) -> None:
    exported = tmp_path / "wallet.txt"
    run_json(["--vault", workspace, "vault", "export", "--format", "coldcard", "-o", exported])
    ann, bo, _cy = make_vault().cosigners
    command = ["vault", "import", exported, tmp_path / "again", "--name", "again", "--network", "regtest"]
    named = ["--cosigner-name", f"bo={bo.fingerprint.hex()}", "--cosigner-name", f"ann={ann.fingerprint.hex().upper()}"]
    imported = run_json([*command, *named])
    assert [one["name"] for one in imported["cosigners"]] == ["ann", "bo", "cosigner-3"]
    assert imported["vault_id"] == make_vault().vault_id


@pytest.mark.parametrize("names", [["ann"], ["ann=0011223"], ["ann=00112233"], ["ann={0}", "bo={0}"]])
def test_cosigner_names_that_name_no_key_or_one_twice(workspace: Path, tmp_path: Path, names: list[str]) -> None:
    first = make_vault().cosigners[0].fingerprint.hex()
    options = [f"--cosigner-name={name.format(first)}" for name in names]
    refused = run(["vault", "import", workspace / "vault.yaml", tmp_path / "again", *options, "--json"])
    assert (refused.exit_code, refused.error["error"]) == (2, "USAGE")
    assert not (tmp_path / "again").exists()
