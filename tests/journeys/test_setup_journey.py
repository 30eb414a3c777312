"""A 2-of-3 vault by BIP 129: both rounds, all three modes, and a payment from what came of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.keys import KeyExpression
from custody.bitcoin.network import Network
from custody.vault.bsms_cipher import is_sealed
from support.cli import run, run_json
from support.setups import NAMES, Setup, own_key


@pytest.mark.parametrize("encryption", ["none", "standard", "extended"])
@pytest.mark.parametrize("script", ["wsh", "sh-wsh"])
def test_a_vault_of_three_people(tmp_path: Path, encryption: str, script: str) -> None:
    setup = Setup(tmp_path, encryption=encryption, options=["--script", script])
    # Round 1: each answers on their own device; the last record completes the setup.
    for name in NAMES[:2]:
        assert setup.record(name).json["encrypted"] is (encryption != "none")
        assert is_sealed(setup.key_file(name).read_bytes()) is (encryption != "none")
        accepted = setup.accept(f"{name}={setup.key_file(name)}").json
        assert (accepted["complete"], name in accepted["missing"]) == (False, False)
    early = run(["vault", "create", tmp_path / "early", "--setup", setup.directory, "--json"])
    assert (early.exit_code, early.error["error"]) == (5, "BSMS_INCOMPLETE")
    setup.record("cy")
    done = setup.accept(f"cy={setup.key_file('cy')}").json
    assert (done["complete"], done["missing"], done["findings"]) == (True, [], [])

    # Round 2: the coordinator's vault, and each signer's own copy of it.
    created = run_json(["vault", "create", tmp_path / "reserve", "--setup", setup.directory])
    assert created["vault_id"] == done["vault_id"]
    for name in NAMES:
        assert is_sealed(setup.descriptor_record(name).read_bytes()) is (encryption != "none")
        key = next(one["key"] for one in created["cosigners"] if one["name"] == name)
        taken = setup.take(name, key=key)
        assert taken.exit_code == 0, taken.stderr
        assert taken.json["vault_id"] == created["vault_id"]
        assert [one["name"] for one in taken.json["cosigners"]] == list(NAMES)
        assert taken.json["first_addresses"] == created["first_addresses"]
        assert taken.json["findings"] == []
        assert taken.json["own_key_places"] == [NAMES.index(name) + 1]
        compared = run_json(["vault", "compare", setup.desk(name) / "reserve", tmp_path / "reserve"])
        assert compared["same"] is True
    assert created["script"].startswith(script)


def test_repeating_changes_nothing(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    first = setup.complete()
    records = {path: path.read_bytes() for path in sorted((setup.directory / "records").iterdir())}
    again = setup.accept(setup.key_file("ann"))
    assert again.json == first.json == setup.accept().json
    assert {path: path.read_bytes() for path in sorted((setup.directory / "records").iterdir())} == records
    twice = run(["cosigner", "request", setup.directory, "--name", "x", "--network", "main", "--threshold", 1])
    assert twice.exit_code == 2
    names = ["--cosigner", "ann"]
    again_begun = ["cosigner", "request", setup.directory, "--name", "x", "--network", "main", "--threshold", 1, *names]
    assert run(again_begun).exit_code == 7


def test_one_token_for_all_needs_names(tmp_path: Path) -> None:
    setup = Setup(tmp_path, options=["--shared-token"])
    assert len({setup.token(name) for name in NAMES}) == 1
    for name in NAMES:
        setup.record(name)
    assert setup.accept(setup.key_file("ann")).exit_code == 2
    assert setup.accept(*(f"{name}={setup.key_file(name)}" for name in NAMES)).json["complete"] is True


def test_a_signer_whose_device_signs_the_message(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    asked = ["cosigner", "record", *setup.given("ann"), "--key", own_key(1), "-o", setup.key_file("ann")]
    shown = run([*asked, "--message-file", tmp_path / "message.txt"])
    assert shown.exit_code == 0
    assert "m/48h/1h/0h/2h" in shown.stdout
    assert "request to ann: vault reserve, 2 of 3, wsh-sortedmulti, on regtest" in shown.stdout
    assert "cosigners ann, bo, cy; encryption extended; open until" in shown.stdout
    lines = (tmp_path / "message.txt").read_text().split("\n")
    assert lines[0] == "BSMS 1.0" and len(lines) == 4
    assert all(line in shown.stdout for line in lines)
    assert not setup.key_file("ann").exists()


@pytest.mark.parametrize("description", ["\x1b[31mbo", "two\rlines", "x" * 81, "a\u2028b"])
def test_a_description_that_no_coordinator_takes_makes_no_record_and_uses_no_token(
    tmp_path: Path, description: str
) -> None:
    setup = Setup(tmp_path)
    refused = setup.record("ann", "--description", description)
    assert (refused.exit_code, refused.error["error"]) == (6, "MALFORMED_DOCUMENT")
    assert sorted(path.name for path in setup.desk("ann").iterdir()) == ["request.yaml", "token"]


def test_a_setup_in_a_folder_that_is_missing_names_that_folder(tmp_path: Path) -> None:
    terms = ["--name", "reserve", "--network", "regtest", "--threshold", 1, "--cosigner", "ann", "--json"]
    refused = run(["cosigner", "request", tmp_path / "missing" / "setup", *terms])
    assert (refused.exit_code, refused.error["error"]) == (6, "FILE_NOT_FOUND")
    assert f"`{tmp_path / 'missing'}`" in refused.error["message"]


def test_a_key_at_a_path_of_another_script_is_said_before_it_is_signed(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    nested = own_key(1, ScriptType.SH_WSH_SORTEDMULTI)
    asked = ["cosigner", "record", *setup.given("ann"), "--key", nested, "-o", setup.key_file("ann"), "--json"]
    assert [(one["code"], one["where"]) for one in run_json(asked)["findings"]] == [("UNUSUAL_PATH", "cosigner:ann")]
    assert setup.record("ann").json["findings"] == []


def test_the_last_screen_of_round_two_says_what_was_compared_and_what_is_left(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    setup.complete()
    words = ["vault", "import", setup.descriptor_record("bo"), tmp_path / "reserve", *setup.given("bo")]
    said = run([*words, "--own-key", own_key(2)]).stdout
    assert "threshold, number of keys, script and network are those of your request" in said
    assert "your key is key 2 of 3, compared whole; nobody compared the others' keys yet" in said
    assert "then delete the token" in said


def test_a_token_from_stdin_and_a_key_from_a_file(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    setup.complete()
    (tmp_path / "ann.txt").write_text(own_key(1) + "\n")
    desk = setup.desk("ann")
    words = ["vault", "import", setup.descriptor_record("ann"), desk / "reserve", "--request", desk / "request.yaml"]
    words += ["--token-file", "-", "--own-key", tmp_path / "ann.txt", "--json"]
    decimal = str(int(setup.token("ann").hex, 16))
    assert run(words, stdin="no token").error["error"] == "BSMS_TOKEN_INVALID"
    assert run(words, stdin=f"{decimal}\n").exit_code == 0


def test_the_parents_bytes_of_the_own_key_decide_nothing(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    setup.complete()
    key = KeyExpression.parse(own_key(1), Network.REGTEST)
    bare = replace(key, key=replace(key.key, parent_fingerprint=bytes(4)))
    assert setup.take("ann", key=bare.to_text(Network.REGTEST)).exit_code == 0


def test_a_coordinator_of_another_program_sends_no_request(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    desk = setup.desk("ann")
    answered = ["cosigner", "record", "--network", "regtest", "--token-file", desk / "token", "--simulator", 1]
    assert run([*answered, "-o", setup.key_file("ann")]).exit_code == 0
    for name in ("bo", "cy"):
        setup.record(name)
    assert setup.accept(*(setup.key_file(name) for name in NAMES)).json["complete"] is True
    taken = ["vault", "import", setup.descriptor_record("ann"), "--name", "reserve", "--network", "regtest"]
    taken += ["--token-file", desk / "token"]
    unchecked = run_json([*taken, tmp_path / "unchecked"])
    assert [finding["code"] for finding in unchecked["findings"]] == ["BSMS_OWN_KEY_UNCHECKED"]
    mine = run([*taken, "--own-key", own_key(1), desk / "reserve"])
    assert mine.exit_code == 0, mine.stderr
    assert "your key is key 1 of 3" in mine.stdout
    stranger = run([*taken, "--own-key", own_key(9), desk / "other", "--json"])
    assert (stranger.exit_code, stranger.error["error"]) == (3, "COSIGNER_MISMATCH")
    assert not (desk / "other").exists()


@pytest.mark.parametrize("token", [None, "00", "a54044308ceac9b7", "108a2360adb302774eb521daebbeda5e"])
def test_an_exported_record_comes_back(tmp_path: Path, token: str | None) -> None:
    setup = Setup(tmp_path)
    setup.complete()
    created = run_json(["vault", "create", tmp_path / "reserve", "--setup", setup.directory])
    options: list[str | Path] = []
    if token is not None:
        (tmp_path / "export.token").write_text(token)
        options = ["--token-file", tmp_path / "export.token"]
    out = tmp_path / "vault.bsms"
    run_json(["--vault", tmp_path / "reserve", "vault", "export", "--format", "bsms", "-o", out, *options])
    back = ["vault", "import", out, tmp_path / "back", "--name", "reserve", "--network", "regtest", *options]
    assert run_json(back)["vault_id"] == created["vault_id"]
    if token is not None and token != "00":
        bare = run(["vault", "import", out, tmp_path / "bare", "--name", "reserve", "--network", "regtest", "--json"])
        assert (bare.exit_code, bare.error["error"]) == (6, "UNKNOWN_FORMAT")
    misplaced = ["--vault", tmp_path / "reserve", "vault", "export", "--format", "core", *options]
    assert run(misplaced).exit_code == (0 if token is None else 2)


@pytest.mark.parametrize(
    "words",
    [
        ["--key", "KEY", "--simulator", 1],
        [],
        ["--simulator", 1, "--signature", "-"],
        ["--simulator", 1, "--network", "regtest"],
        ["--simulator", 1, "--script", "wsh"],
    ],
)
def test_a_record_needs_one_key_and_one_setup(tmp_path: Path, words: list[str | int]) -> None:
    setup = Setup(tmp_path)
    assert run(["cosigner", "record", *setup.given("ann"), "-o", tmp_path / "x.dat", *words]).exit_code == 2


def test_a_setup_says_everything_that_create_would_ask(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    setup.complete()
    for more in (["--name", "x"], ["--threshold", 1], ["--script", "wsh"], ["--cosigner", "ann=KEY"]):
        assert run(["vault", "create", tmp_path / "v", "--setup", setup.directory, *more]).exit_code == 2
    without = run(["vault", "create", tmp_path / "v", "--network", "regtest"])
    assert (without.exit_code, "--name" in without.stderr) == (2, True)
    assert not (tmp_path / "v").exists()
