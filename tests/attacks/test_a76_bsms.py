"""A76, with A10, A14, A17, A18 and A122 where they reach a setup by BIP 129, through the command line on both sides."""

from pathlib import Path
from typing import Any

import pytest

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.network import Network
from custody.vault.bsms_cipher import unseal
from custody.workflow.setup_terms import SetupRequest, read_setup
from custody_hardware.simulator import simulated_key
from custody_hardware.simulator_message import simulated_message_signature
from support.cli import Result, run
from support.setups import Setup, own_key
from support.vaults import make_keys
from support.vectors import load_vectors


def _assert_refused(result: Result, code: str, exit_code: int = 3) -> None:
    assert (result.exit_code, result.error["error"], result.stdout) == (exit_code, code, "")


def _flipped(file: Path, place: int) -> Path:
    """Write a file with one bit of the byte at hex place `place` changed."""
    text = file.read_text()
    digit = f"{int(text[place], 16) ^ 1:x}"
    target = file.with_name(f"flipped-{place}-{file.name}")
    target.write_text(text[:place] + digit + text[place + 1 :])
    return target


def test_a76_a_token_used_for_two_setups(tmp_path: Path) -> None:
    first, second = Setup(tmp_path, name="first"), Setup(tmp_path, name="second")
    assert first.record("ann").exit_code == 0
    desk, token = second.desk("ann"), first.token("ann")
    (desk / "token").write_text(token.to_text())
    terms = read_setup((second.directory / "setup.yaml").read_bytes())
    (desk / "request.yaml").write_text(SetupRequest.made(terms, "ann", token).to_text())
    again = ["cosigner", "record", "--request", desk / "request.yaml", "--token-file", desk / "token", "--simulator", 1]
    _assert_refused(run([*again, "-o", desk / "second.dat", "--json"]), "BSMS_TOKEN_REUSED")
    assert not (desk / "second.dat").exists()
    # The coordinator has it on the list of the folder that holds the setups, too.
    listed = ["--used-tokens", tmp_path / "used-tokens.yaml"]
    _assert_refused(run([*again, *listed, "-o", desk / "third.dat", "--json"]), "BSMS_TOKEN_REUSED")


def test_a76_a_token_of_another_setup_in_round_two(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    setup.complete()
    used = (setup.desk("ann") / "used-tokens.yaml").read_text()
    other = used.replace(setup.begun.json["setup_id"], "ab" * 16)
    assert other != used
    (setup.desk("ann") / "used-tokens.yaml").write_text(other)
    _assert_refused(setup.take("ann"), "BSMS_TOKEN_REUSED")
    assert not (setup.desk("ann") / "reserve").exists()


@pytest.mark.parametrize("changed", [("threshold: 2", "threshold: 1"), ("script: wsh", "script: sh-wsh")])
def test_a76_a14_terms_that_change_after_the_records_were_written(tmp_path: Path, changed: tuple[str, str]) -> None:
    setup = Setup(tmp_path)
    setup.complete()
    terms = setup.directory / "setup.yaml"
    terms.write_text(terms.read_text().replace(*changed, 1))
    created = run(["vault", "create", tmp_path / "reserve", "--setup", setup.directory, "--json"])
    _assert_refused(created, "VAULT_MISMATCH")
    _assert_refused(setup.accept(), "VAULT_MISMATCH")
    assert not (tmp_path / "reserve").exists()


@pytest.mark.parametrize("form", ["hex", "decimal"])
def test_a76_a_token_in_place_of_its_file_is_not_repeated(tmp_path: Path, form: str) -> None:
    setup = Setup(tmp_path)
    token = setup.token("ann").hex
    given = token if form == "hex" else str(int(token, 16))
    words = ["cosigner", "record", "--network", "regtest", "--token-file", given, "--simulator", 1]
    result = run([*words, "-o", tmp_path / "key.dat", "--json"])
    assert (result.exit_code, given in result.stderr + result.stdout) == (2, False)


@pytest.mark.parametrize("encryption", ["standard", "extended"])
def test_a76_no_encryption_where_encryption_was_required(tmp_path: Path, encryption: str) -> None:
    setup = Setup(tmp_path, encryption=encryption)
    desk = setup.desk("ann")
    (desk / "zero").write_text("00")
    zero = ["cosigner", "record", "--request", desk / "request.yaml", "--token-file", desk / "zero", "--simulator", 1]
    _assert_refused(run([*zero, "-o", desk / "zero.bsms", "--json"]), "BSMS_TOKEN_MISMATCH")
    plain = ["cosigner", "record", "--network", "regtest", "--token-file", desk / "zero", "--simulator", 1]
    assert run([*plain, "-o", desk / "zero.bsms", "--json"]).exit_code == 0
    for name in (desk / "zero.bsms", f"ann={desk / 'zero.bsms'}"):
        _assert_refused(setup.accept(name), "BSMS_TOKEN_MISMATCH")
    # A record that is encrypted, and says `00` inside.
    setup.record("ann")
    inside = setup.bend("ann", setup.key_file("ann"), setup.token("ann").hex, "00")
    _assert_refused(setup.accept(inside), "BSMS_TOKEN_MISMATCH")


def test_a76_a_plain_descriptor_record_where_encryption_was_required(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    setup.complete()
    plain = Setup(tmp_path, name="plain", encryption="none")
    plain.complete()
    _assert_refused(setup.take("ann", plain.descriptor_record("ann")), "BSMS_TOKEN_MISMATCH")
    desk = setup.desk("ann")
    without = ["vault", "import", plain.descriptor_record("ann"), desk / "reserve", "--request", desk / "request.yaml"]
    result = run([*without, "--own-key", own_key(1), "--json"])
    assert (result.exit_code, "--token-file" in result.stderr) == (2, True)
    # And the other way round.
    _assert_refused(plain.take("ann", setup.descriptor_record("ann")), "BSMS_TOKEN_MISMATCH")


def test_a76_a_changed_record_or_mac(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    setup.complete()
    again = Setup(tmp_path, name="again")
    again.record("ann")
    for place in (0, 31, 63, 64, 400):
        _assert_refused(again.accept(_flipped(again.key_file("ann"), place)), "BSMS_MAC")
        _assert_refused(
            again.accept(f"ann={again.key_file('ann').with_name(f'flipped-{place}-ann-key.dat')}"), "BSMS_MAC"
        )
    assert again.accept().json["accepted"] == []
    for place in (0, 31, 63, 64, 400):
        _assert_refused(setup.take("ann", _flipped(setup.descriptor_record("ann"), place)), "BSMS_MAC")
    # Another signer's record, or another setup's.
    _assert_refused(setup.take("ann", setup.descriptor_record("bo")), "BSMS_MAC")
    _assert_refused(again.accept(f"bo={again.key_file('ann')}"), "BSMS_MAC")
    assert not (setup.desk("ann") / "reserve").exists()


def test_a76_a_changed_request(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    setup.complete()
    desk = setup.desk("ann")
    text = (desk / "request.yaml").read_text()
    answered = [
        "cosigner",
        "record",
        "--request",
        desk / "request.yaml",
        "--simulator",
        1,
        "-o",
        desk / "x.dat",
        "--json",
    ]
    for old, new, code in (
        ("threshold: 2", "threshold: 1", "BSMS_MAC"),
        ("  - cy", "  - eve", "BSMS_MAC"),
        ("network: regtest", "network: signet", "BSMS_MAC"),
        ("cosigner: ann", "cosigner: bo", "BSMS_MAC"),
        ("encryption: extended", "encryption: none", "BSMS_TOKEN_MISMATCH"),
    ):
        assert old in text
        (desk / "request.yaml").write_text(text.replace(old, new))
        _assert_refused(run([*answered, "--token-file", desk / "token", "--json"]), code)
        taken = ["vault", "import", setup.descriptor_record("ann"), desk / "reserve", "--own-key", own_key(1), "--json"]
        given = ["--request", desk / "request.yaml", "--token-file", desk / "token"]
        _assert_refused(run([*taken, *given]), code)


def test_a76_a_record_without_the_signature_of_its_key(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    setup.record("ann")
    good = setup.accept(setup.key_file("ann"))
    assert good.json["missing"] == ["bo", "cy"]
    setup.record("bo")
    file = setup.key_file("bo")
    # The coordinator's mail server gives its own key, under bo's signature.
    _assert_refused(setup.accept(setup.bend("bo", file, _record_key(2), _record_key(5))), "BSMS_SIG")
    # Another line was changed: the description.
    _assert_refused(setup.accept(setup.bend("bo", file, "\nbo\n", "\nbob\n")), "BSMS_SIG")
    token = setup.token("bo").hex
    message = f"BSMS 1.0\n{token}\n{_record_key(2)}\nbo"
    theirs = simulated_message_signature(3, Network.REGTEST, ScriptType.WSH_SORTEDMULTI, message)
    ours = simulated_message_signature(2, Network.REGTEST, ScriptType.WSH_SORTEDMULTI, message)
    _assert_refused(setup.accept(setup.bend("bo", file, ours, theirs)), "BSMS_SIG")
    for none in ("", "AAAA", "not base64", ours[:-4]):
        _assert_refused(setup.accept(setup.bend("bo", file, ours, none)), "BSMS_SIG", 6)
    assert setup.accept().json["missing"] == ["bo", "cy"]


def _record_key(number: int) -> str:
    return own_key(number).replace("h", "'", 4)


def test_a76_a_signer_can_not_answer_with_a_signature_of_another_key(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    asked = ["cosigner", "record", *setup.given("ann"), "--key", own_key(1), "-o", tmp_path / "ann.dat"]
    message = run([*asked, "--json"]).json["message"]
    signatures = tmp_path / "signature.txt"
    signatures.write_text(simulated_message_signature(2, Network.REGTEST, ScriptType.WSH_SORTEDMULTI, message))
    _assert_refused(run([*asked, "--signature", signatures, "--json"]), "BSMS_SIG")
    assert not (tmp_path / "ann.dat").exists()
    signatures.write_text(simulated_message_signature(1, Network.REGTEST, ScriptType.WSH_SORTEDMULTI, message) + "\n")
    assert run([*asked, "--signature", signatures, "--json"]).exit_code == 0


def test_a76_a_first_address_that_is_not_the_descriptors(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    done = setup.complete().json
    second = done["first_addresses"][1]["address"]
    bent = setup.bend("ann", setup.descriptor_record("ann"), done["first_address"], second)
    _assert_refused(setup.take("ann", bent), "BSMS_FIRST_ADDRESS", 6)


@pytest.mark.parametrize("restrictions", ["/1/*,/0/*", "/0/*", "/0/*,/1/*,/2/*", "/0h/*,/1h/*", "/*"])
def test_a76_other_path_restrictions(tmp_path: Path, restrictions: str) -> None:
    setup = Setup(tmp_path)
    setup.complete()
    bent = setup.bend("ann", setup.descriptor_record("ann"), "\n/0/*,/1/*\n", f"\n{restrictions}\n")
    _assert_refused(setup.take("ann", bent), "BSMS_PATHS", 6)


@pytest.mark.parametrize("version", ["BSMS 1.1", "BSMS 2.0", "bsms 1.0", ""])
def test_a76_another_version(tmp_path: Path, version: str) -> None:
    setup = Setup(tmp_path)
    setup.record("ann")
    _assert_refused(setup.accept(setup.bend("ann", setup.key_file("ann"), "BSMS 1.0", version)), "BSMS_VERSION", 6)
    assert setup.accept(setup.key_file("ann")).exit_code == 0
    for name in ("bo", "cy"):
        setup.record(name)
        setup.accept(setup.key_file(name))
    bent = setup.bend("ann", setup.descriptor_record("ann"), "BSMS 1.0", version)
    _assert_refused(setup.take("ann", bent), "BSMS_VERSION", 6)


def test_a76_a10_a_coordinator_that_swaps_a_key(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    setup.complete()
    thief = make_keys(1, seed=99)[0].to_text(Network.REGTEST).replace("h", "'", 4)
    # Ann's own key is another one: she sees it herself. The address fits, since the coordinator computes it.
    false = _record_of(setup, tmp_path, [thief, _record_key(2), _record_key(3)])
    _assert_refused(setup.take("ann", setup.bend("ann", setup.descriptor_record("ann"), *false)), "COSIGNER_MISMATCH")
    # Bo's key is another one for ann, and his own for bo: each finds theirs, and the comparison tells.
    false = _record_of(setup, tmp_path, [_record_key(1), thief, _record_key(3)])
    anns = setup.take("ann", setup.bend("ann", setup.descriptor_record("ann"), *false))
    bos = setup.take("bo")
    assert (anns.exit_code, bos.exit_code) == (0, 0)
    assert anns.json["first_address"] != bos.json["first_address"]
    compared = run(["vault", "compare", setup.desk("ann") / "reserve", setup.desk("bo") / "reserve", "--json"])
    assert (compared.exit_code, compared.json["same"]) == (3, False)
    assert "COSIGNER_MISMATCH" in {finding["code"] for finding in compared.json["findings"]}


def test_a76_a10_an_own_key_under_a_borrowed_fingerprint_is_not_the_own_key(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    setup.complete()
    thief = simulated_key(7, Network.REGTEST, ScriptType.WSH_SORTEDMULTI).to_text(Network.REGTEST).replace("h", "'", 4)
    disguised = f"{_record_key(1).partition(']')[0]}]{thief.partition(']')[2]}"
    false = _record_of(setup, tmp_path, [disguised, _record_key(2), _record_key(3)])
    _assert_refused(setup.take("ann", setup.bend("ann", setup.descriptor_record("ann"), *false)), "COSIGNER_MISMATCH")


def test_a76_a14_a_coordinator_that_swaps_threshold_keys_script_or_places(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    setup.complete()
    keys = [_record_key(number) for number in (1, 2, 3)]
    cases: list[tuple[dict[str, Any], str]] = [
        ({"keys": keys, "threshold": 1}, "VAULT_MISMATCH"),
        ({"keys": [*keys, _record_key(4)]}, "VAULT_MISMATCH"),
        ({"keys": keys[:2]}, "VAULT_MISMATCH"),
        ({"keys": keys, "nested": True}, "VAULT_MISMATCH"),
        ({"keys": [keys[1], keys[0], keys[2]]}, "COSIGNER_MISMATCH"),
    ]
    for case, code in cases:
        false = _record_of(setup, tmp_path, **case)
        _assert_refused(setup.take("ann", setup.bend("ann", setup.descriptor_record("ann"), *false)), code)
    assert setup.take("ann").exit_code == 0


def _record_of(
    setup: Setup, folder: Path, keys: list[str], *, threshold: int = 2, nested: bool = False
) -> tuple[str, str]:
    """Return what to replace in the true record, and a record of other terms whose own first address is right."""
    kind = ["--script", "sh-wsh"] if nested else []
    cosigners = [f"--cosigner=c{number}={key}" for number, key in enumerate(keys)]
    target = folder / f"false-{len(list(folder.glob('false-*')))}"
    terms = ["--name", "reserve", "--network", "regtest", "--threshold", threshold, *kind]
    assert run(["vault", "create", target, *terms, *cosigners]).exit_code == 0
    record = run(["--vault", target, "vault", "export", "--format", "bsms"]).stdout.rstrip("\n")
    return unseal(setup.token("cy"), setup.descriptor_record("cy").read_bytes()).decode(), record


def test_a76_a17_a_key_of_another_network(tmp_path: Path) -> None:
    setup = Setup(tmp_path, encryption="none")
    record = _published_records()[0]
    (tmp_path / "main.bsms").write_text(record)
    _assert_refused(setup.accept(f"ann={tmp_path / 'main.bsms'}"), "NETWORK_MISMATCH", 6)


def test_a76_a122_published_keys_are_refused_on_main(tmp_path: Path) -> None:
    setup = Setup(tmp_path, encryption="none", network="main", names=("ann", "bo"))
    for name, record in zip(("ann", "bo"), _published_records(), strict=True):
        (tmp_path / f"{name}.bsms").write_text(record)
    assert setup.accept(f"ann={tmp_path / 'ann.bsms'}").exit_code == 0
    _assert_refused(setup.accept(f"bo={tmp_path / 'bo.bsms'}"), "KNOWN_TEST_KEY", 6)
    assert list((setup.directory / "records").iterdir()) == []


def _published_records() -> list[str]:
    cases = load_vectors("bip129_bsms.json")["cases"]
    items = next(case["items"] for case in cases if case["mode"] == "Mode: NO_ENCRYPTION")
    return [item["text"] for item in items if item.get("file", "").startswith("signer_")]


def test_a76_a18_an_unusual_path_warns(tmp_path: Path) -> None:
    setup = Setup(tmp_path, names=("ann", "bo"), options=["--script", "sh-wsh"])
    assert setup.record("ann").exit_code == 0
    desk = setup.desk("bo")
    other = ["cosigner", "record", "--network", "regtest", "--script", "wsh", "--token-file", desk / "token"]
    assert run([*other, "--simulator", 2, "-o", setup.key_file("bo")]).exit_code == 0
    done = setup.accept(setup.key_file("ann"), setup.key_file("bo"))
    assert [(item["code"], item["where"]) for item in done.json["findings"]] == [("UNUSUAL_PATH", "cosigner:bo")]


def test_a76_a11_one_key_for_two_cosigners(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    setup.record("ann")
    desk = setup.desk("bo")
    twin = ["cosigner", "record", *setup.given("bo"), "--simulator", 1, "-o", desk / "twin.dat", "--json"]
    assert run(twin).exit_code == 0
    _assert_refused(setup.accept(setup.key_file("ann"), desk / "twin.dat"), "DUPLICATE_COSIGNER", 6)
    assert setup.accept().json["accepted"] == []


def test_a76_a_setup_that_is_over(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    setup.record("ann")
    file = setup.directory / "setup.yaml"
    text = file.read_text()
    created, expires = setup.begun.json["created"], setup.begun.json["expires"]
    file.write_text(text.replace(created, "2020-01-01T00:00:00Z").replace(expires, "2020-01-02T00:00:00Z"))
    _assert_refused(setup.accept(setup.key_file("ann")), "BSMS_EXPIRED", 7)


def test_a76_a92_no_token_on_the_command_line_or_on_the_coordinators_screen(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    done = setup.complete()
    shown = setup.begun.stdout + done.stdout + setup.take("ann").stdout
    for name in setup.names:
        assert setup.token(name).hex not in shown
        assert str(int(setup.token(name).hex, 16)) not in shown
    assert all((setup.directory / "tokens" / f"{name}.token").stat().st_mode & 0o077 == 0 for name in setup.names)
