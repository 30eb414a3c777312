"""A10 to A19, A78, A86 and A122 through the command line: what `vault import`, `create`, `verify`, `compare` refuse."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.encoding import base58check_encode
from custody.bitcoin.keys import HARDENED, KeyExpression, KeyOrigin
from custody.bitcoin.network import Network
from custody.vault.formats import vault_file
from custody.vault.vault import Vault
from support.cli import Result, run
from support.vaults import create_arguments, expression, make_keys, make_vault, rechecksummed, vault_of

TRUE = make_vault()
FINGERPRINT = b"\x0a\x0b\x0c\x0d"


def _import(folder: Path, text: str, *options: str, network: Network = Network.REGTEST) -> Result:
    source, target = folder / "received.txt", folder / "reserve"
    source.write_text(text)
    named = ["--name", "reserve", "--network", str(network)]
    result = run(["vault", "import", source, target, *named, *options, "--json"])
    assert target.exists() == (result.exit_code == 0)
    return result


def _assert_not_imported(folder: Path, text: str, code: str, exit_code: int, *options: str) -> None:
    result = _import(folder, text, *options)
    assert (result.exit_code, result.error["error"], result.stdout) == (exit_code, code, "")


def _assert_not_the_expected(folder: Path, text: str, code: str) -> None:
    _assert_not_imported(folder, text, code, 3, "--expect-descriptor", TRUE.descriptor_text)


def _with_first_key(key_text: str) -> str:
    first = TRUE.cosigners[0].key.to_text(TRUE.network)
    assert first in TRUE.descriptor_text
    return rechecksummed(TRUE.descriptor_text.replace(first, key_text))


def _vault_with_third(key: KeyExpression, network: Network = Network.REGTEST) -> Vault:
    return vault_of((*make_keys(3, network=network)[:2], key), network=network)


def _assert_no_vault_anywhere(folder: Path, vault: Vault, code: str) -> None:
    """Demand the same refusal from import, create and verify, and that nothing was written."""
    _assert_not_imported(folder, vault.descriptor_text, code, 6)
    created = run([*create_arguments(vault, folder / "created"), "--json"])
    assert (created.exit_code, created.error["error"]) == (6, code)
    assert not (folder / "created").exists()
    (folder / "vault.yaml").write_text(vault_file.write(vault))
    verified = run(["vault", "verify", "--vault-file", folder / "vault.yaml", "--json"])
    assert verified.exit_code in (3, 6)
    assert code in verified.stdout + verified.stderr


def test_the_true_vault_is_imported(tmp_path: Path) -> None:
    result = _import(tmp_path, TRUE.descriptor_text, "--expect-descriptor", TRUE.descriptor_text)
    assert result.exit_code == 0, result.stderr
    assert result.json["vault_id"] == TRUE.vault_id


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a10_one_key_replaced_under_the_same_origin(tmp_path: Path, position: int) -> None:
    attacker = make_keys(1, seed=99)[0].key
    origin = TRUE.cosigners[position].key.origin
    dressed = KeyExpression(origin, replace(attacker, child_number=origin.path[-1]))
    keys = tuple(dressed if at == position else item.key for at, item in enumerate(TRUE.cosigners))
    false = vault_of(keys)
    _assert_not_the_expected(tmp_path, false.descriptor_text, "COSIGNER_MISMATCH")
    for name, vault in (("a.yaml", false), ("b.yaml", TRUE)):
        (tmp_path / name).write_text(vault_file.write(vault))
    compared = run(["vault", "compare", tmp_path / "a.yaml", tmp_path / "b.yaml", "--json"])
    assert compared.exit_code == 3
    assert "COSIGNER_MISMATCH" in compared.stdout + compared.stderr


def test_a10_a_true_key_under_a_false_origin_or_chain_code(tmp_path: Path) -> None:
    first = TRUE.cosigners[0].key
    others = tuple(item.key for item in TRUE.cosigners[1:])
    for lie in (
        replace(first, origin=KeyOrigin(b"\x01\x02\x03\x04", first.origin.path)),
        replace(first, key=replace(first.key, chain_code=bytes(31) + b"\x01")),
    ):
        _assert_not_the_expected(tmp_path, vault_of((lie, *others)).descriptor_text, "COSIGNER_MISMATCH")


def test_a11_one_key_twice_identical_or_in_disguise(tmp_path: Path) -> None:
    first, second, _ = make_keys(3)
    disguised = KeyExpression(
        KeyOrigin(FINGERPRINT, first.origin.path), replace(first.key, parent_fingerprint=b"\x09\x09\x09\x09")
    )
    for number, twin in enumerate((first, disguised)):
        folder = tmp_path / str(number)
        folder.mkdir()
        _assert_no_vault_anywhere(folder, vault_of((first, second, twin)), "DUPLICATE_COSIGNER")


def test_a12_related_keys_and_one_fingerprint_for_two(tmp_path: Path) -> None:
    keys = make_keys(3)
    related = expression(FINGERPRINT, keys[2].origin.path, keys[0].key.child(0).child(1000))
    claimed = replace(keys[2], origin=KeyOrigin(keys[0].origin.fingerprint, keys[2].origin.path))
    for code, key in (("RELATED_COSIGNER", related), ("DUPLICATE_FINGERPRINT", claimed)):
        folder = tmp_path / code
        folder.mkdir()
        _assert_no_vault_anywhere(folder, _vault_with_third(key), code)


def test_a13_metadata_that_lies(tmp_path: Path) -> None:
    first = TRUE.cosigners[0].key
    origin = f"[{first.origin.to_text()}]"
    not_a_point = base58check_encode(first.key.to_bytes78(TRUE.network)[:-33] + b"\x02" + b"\xff" * 32)
    lies = {
        "XPUB_DEPTH_MISMATCH": origin + replace(first.key, depth=3).to_base58(TRUE.network),
        "XPUB_CHILDNUM_MISMATCH": origin + replace(first.key, child_number=HARDENED + 1).to_base58(TRUE.network),
        "ORIGIN_MISSING": first.key.to_base58(TRUE.network),
        "FINGERPRINT_ZERO": first.to_text(TRUE.network).replace(first.origin.fingerprint.hex(), "00000000"),
        "INVALID_PUBLIC_KEY": origin + not_a_point,
    }
    for code, text in lies.items():
        _assert_not_imported(tmp_path, _with_first_key(text), code, 6)


@pytest.mark.parametrize("threshold", [1, 3])
def test_a14_a_lowered_or_raised_threshold(tmp_path: Path, threshold: int) -> None:
    false = replace(TRUE.descriptor, threshold=threshold).to_text(TRUE.network)
    _assert_not_the_expected(tmp_path, false, "VAULT_MISMATCH")


def test_a14_impossible_thresholds_too_many_keys_hidden_branches(tmp_path: Path) -> None:
    for threshold in ("0", "4", "-1"):
        text = TRUE.descriptor_text.replace("sortedmulti(2,", f"sortedmulti({threshold},")
        _assert_not_imported(tmp_path, rechecksummed(text), "THRESHOLD_INVALID", 6)
    keys = ",".join(f"{key.to_text(Network.REGTEST)}/<0;1>/*" for key in make_keys(16))
    _assert_not_imported(tmp_path, rechecksummed(f"wsh(sortedmulti(2,{keys}))"), "TOO_MANY_KEYS", 6)
    attacker = f"{make_keys(1, seed=9)[0].to_text(TRUE.network)}/<0;1>/*"
    inner = TRUE.descriptor_text.partition("#")[0].removeprefix("wsh(").removesuffix(")")
    hidden = rechecksummed(f"wsh(or_d({inner.replace('sortedmulti', 'multi')},pk({attacker})))")
    _assert_not_imported(tmp_path, hidden, "DESCRIPTOR_UNSUPPORTED", 6)
    _assert_not_the_expected(tmp_path, hidden, "VAULT_MISMATCH")


def test_a15_checksum_missing_or_wrong(tmp_path: Path) -> None:
    text = TRUE.descriptor_text
    _assert_not_imported(tmp_path, text.partition("#")[0], "CHECKSUM_MISSING", 6)
    _assert_not_imported(tmp_path, text[:-1] + ("p" if text[-1] == "q" else "q"), "CHECKSUM_MISMATCH", 6)
    _assert_not_imported(tmp_path, text.replace("sortedmulti(2", "sortedmulti(3"), "CHECKSUM_MISMATCH", 6)


def test_a16_another_script_with_the_same_keys(tmp_path: Path) -> None:
    multi = rechecksummed(TRUE.descriptor_text.replace("sortedmulti", "multi"))
    wrapped = replace(TRUE.descriptor, script_type=ScriptType.SH_WSH_SORTEDMULTI).to_text(TRUE.network)
    for false in (multi, wrapped):
        _assert_not_the_expected(tmp_path, false, "VAULT_MISMATCH")


def test_a16_another_order_of_keys_warns_and_is_the_same_vault(tmp_path: Path) -> None:
    other = vault_of(tuple(item.key for item in TRUE.cosigners)[::-1])
    assert other.descriptor_text != TRUE.descriptor_text
    result = _import(tmp_path, other.descriptor_text, "--expect-descriptor", TRUE.descriptor_text)
    assert result.exit_code == 0, result.stderr
    assert result.json["vault_id"] == TRUE.vault_id
    assert "SAME_SCRIPTS_OTHER_TEXT" in result.stdout


def test_a17_networks_and_foreign_version_bytes(tmp_path: Path) -> None:
    first = TRUE.cosigners[0].key
    main = make_keys(1, network=Network.MAIN)[0].to_text(Network.MAIN)
    _assert_not_imported(tmp_path, _with_first_key(main), "NETWORK_MISMATCH", 6)
    on_main = _import(tmp_path, TRUE.descriptor_text, network=Network.MAIN)
    assert (on_main.exit_code, on_main.error["error"]) == (6, "NETWORK_MISMATCH")
    slip132 = base58check_encode(bytes.fromhex("02575483") + first.key.to_bytes78(Network.REGTEST)[4:])
    _assert_not_imported(tmp_path, _with_first_key(f"[{first.origin.to_text()}]{slip132}"), "SLIP132_NOT_ALLOWED", 6)


def test_a18_a_single_signature_path_warns(tmp_path: Path) -> None:
    path = (HARDENED + 84, HARDENED + 1, HARDENED)
    vault = _vault_with_third(expression(FINGERPRINT, path, make_keys(3)[2].key))
    result = _import(tmp_path, vault.descriptor_text)
    assert result.exit_code == 0, result.stderr
    assert "UNUSUAL_PATH" in result.stdout


@pytest.mark.parametrize(
    ("bend", "code"),
    [
        (lambda text: text.replace("/<0;1>/*", "/<1;0>/*"), "CHAINS_SWAPPED"),
        (lambda text: text.replace("/<0;1>/*", "/0/*", 1), "MIXED_MULTIPATH"),
        (lambda text: text.replace("/<0;1>/*", "/<0;1>"), "NOT_RANGED"),
        (lambda text: text.replace("/<0;1>/*", "/<0;1>/*h"), "HARDENED_PUBLIC_DERIVATION"),
        (lambda text: text.replace("/<0;1>/*", "/<0;2147483648>/*"), "INDEX_OUT_OF_RANGE"),
        (lambda text: text.replace("/48h/", "/48H/"), "BAD_HARDENED_MARKER"),
        (lambda text: text.replace("/<0;1>/*", "/0/*"), "CHANGE_BRANCH_MISSING"),
    ],
)
def test_a19_chain_tricks(tmp_path: Path, bend: Callable[[str], str], code: str) -> None:
    body = TRUE.descriptor_text.partition("#")[0]
    assert bend(body) != body
    _assert_not_imported(tmp_path, rechecksummed(bend(body)), code, 6)


def test_a78_no_answer_offers_the_checksum_as_identity(tmp_path: Path) -> None:
    assert _import(tmp_path, TRUE.descriptor_text).exit_code == 0
    checksum = TRUE.descriptor_text[-8:]
    shown = run(["--vault", tmp_path / "reserve", "vault", "show"]).stdout
    verified = run(["--vault", tmp_path / "reserve", "vault", "verify"]).stdout
    assert TRUE.vault_id in shown.replace(" ", "").replace("\n", "")
    # The checksum stands at the end of the descriptor, which needs it, and nowhere as something to compare.
    for text in (shown, verified):
        assert text.count(checksum) == text.count(f"/*))#{checksum}") == 1
        assert TRUE.first_address.replace(" ", "") in text.replace(" ", "")


def test_a86_a_key_in_two_vaults_warns(tmp_path: Path) -> None:
    shared, *rest = make_keys(6)
    (tmp_path / "old.yaml").write_text(vault_file.write(vault_of((shared, rest[0]), name="old")))
    (tmp_path / "new.yaml").write_text(vault_file.write(vault_of((rest[1], shared, rest[2]), name="new")))
    result = run(["vault", "compare", tmp_path / "new.yaml", tmp_path / "old.yaml", "--json"])
    assert result.exit_code == 3
    assert "KEY_REUSED_IN_WALLET" in result.stdout + result.stderr


def test_a122_a_published_key_is_refused_on_main(tmp_path: Path) -> None:
    keys = make_keys(3, network=Network.MAIN)
    account = KeyExpression(KeyOrigin(bytes.fromhex("73c5da0a"), keys[2].origin.path), keys[2].key)
    vault = _vault_with_third(account, Network.MAIN)
    result = _import(tmp_path, vault.descriptor_text, "--ungoverned", network=Network.MAIN)
    assert (result.exit_code, result.error["error"]) == (6, "KNOWN_TEST_KEY")
    created = run([*create_arguments(vault, tmp_path / "created"), "--ungoverned", "--json"])
    assert (created.exit_code, created.error["error"]) == (6, "KNOWN_TEST_KEY")
    assert not (tmp_path / "created").exists()
