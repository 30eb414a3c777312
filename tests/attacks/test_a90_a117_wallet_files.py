"""A117, A90, A10 and A11 in other programs' wallet files, through `vault import` and `vault compare`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from custody.vault.formats.detect import VaultFormat
from custody.vault.formats.registry import WRITERS
from support.cli import Result, run
from support.secrets import extended
from support.vaults import make_keys, make_vault, vault_of
from support.wallet_files import TEXT_FORMATS, edited, exported_text, with_prefix

TRUE = make_vault()


def _import(folder: Path, data: bytes, *options: str) -> Result:
    source, target = folder / "received", folder / "reserve"
    source.write_bytes(data)
    result = run(["vault", "import", source, target, "--name", "reserve", "--network", "regtest", "--json", *options])
    assert target.exists() == (result.exit_code == 0)
    return result


def _assert_refused(folder: Path, data: bytes, code: str, exit_code: int = 6, *options: str) -> Result:
    result = _import(folder, data, *options)
    assert (result.exit_code, result.error["error"], result.stdout) == (exit_code, code, "")
    return result


INCONSISTENT: dict[str, tuple[VaultFormat, Callable[[Any], object]]] = {
    "caravan says more signers than it has keys": (
        VaultFormat.CARAVAN,
        lambda document: document["quorum"].update(totalSigners=4),
    ),
    "caravan says fewer signers than it has keys": (
        VaultFormat.CARAVAN,
        lambda document: document["quorum"].update(totalSigners=2),
    ),
    "caravan lost a key": (VaultFormat.CARAVAN, lambda document: document["extendedPublicKeys"].pop()),
    "electrum says 2of3 with two keystores": (VaultFormat.ELECTRUM, lambda document: document.pop("x3/")),
    "electrum says 2of4 with three keystores": (
        VaultFormat.ELECTRUM,
        lambda document: document.update(wallet_type="2of4"),
    ),
    "electrum names a keystore's device otherwise": (
        VaultFormat.ELECTRUM,
        lambda document: document["x1/"].update(ckcc_xfp=1),
    ),
    "electrum stores another wallet's addresses": (
        VaultFormat.ELECTRUM,
        lambda document: document.update(addresses={"receiving": [make_vault(seed=9).first_address]}),
    ),
    "sparrow's policy has other keys than its keystores": (
        VaultFormat.SPARROW,
        lambda document: document["keystores"].pop(),
    ),
    "sparrow's script type is not its policy's": (
        VaultFormat.SPARROW,
        lambda document: document.update(scriptType="P2SH_P2WSH"),
    ),
    "specter lists fewer devices than keys": (VaultFormat.SPECTER, lambda document: document["devices"].pop()),
    "a wallet policy has a key that its template doesn't use": (
        VaultFormat.BIP388,
        lambda document: document["keys_info"].append(make_keys(1, seed=9)[0].to_text(TRUE.network)),
    ),
}


@pytest.mark.parametrize("name", INCONSISTENT)
def test_a117_two_statements_of_one_fact_must_agree(tmp_path: Path, name: str) -> None:
    kind, edit = INCONSISTENT[name]
    _assert_refused(tmp_path, edited(TRUE, kind, edit), "IMPORT_INCONSISTENT")


@pytest.mark.parametrize("kind", TEXT_FORMATS)
@pytest.mark.parametrize(
    ("old", "new"),
    [("Policy: 2 of 3", "Policy: 2 of 4"), ("Policy: 2 of 3", "Policy: 2 of 2")],
)
def test_a117_a_policy_line_that_miscounts_the_keys(tmp_path: Path, kind: VaultFormat, old: str, new: str) -> None:
    text = exported_text(TRUE, kind)
    assert old in text
    _assert_refused(tmp_path, text.replace(old, new).encode(), "IMPORT_INCONSISTENT")


@pytest.mark.parametrize("kind", TEXT_FORMATS)
def test_a117_a_derivation_that_is_overridden_before_any_key(tmp_path: Path, kind: VaultFormat) -> None:
    head, _, rest = exported_text(TRUE, kind).partition("Format:")
    twice = f"{head}Derivation: m/48'/1'/7'/2'\nFormat:{rest}"
    marker = "# derivation:" if kind is VaultFormat.BLUEWALLET else "Derivation:"
    assert twice.count(marker) >= 1
    _assert_refused(tmp_path, twice.encode(), "IMPORT_INCONSISTENT")


@pytest.mark.parametrize("kind", list(WRITERS))
def test_a90_a_private_key_in_place_of_a_public_one(tmp_path: Path, kind: VaultFormat) -> None:
    secret = extended("cosigner", version="04358394", private=True)
    public = TRUE.cosigners[0].key.key.to_base58(TRUE.network)
    text = exported_text(TRUE, kind).replace(public, secret).replace(with_prefix(public, "Vpub"), secret)
    assert secret in text
    for command in ("import", "compare"):
        (tmp_path / "wallet").write_text(text)
        target = tmp_path / ("reserve" if command == "import" else "wallet")
        result = run(["vault", command, tmp_path / "wallet", target, "--network", "regtest", "--json"])
        assert (result.exit_code, result.error["error"]) == (6, "SECRET_MATERIAL")
        assert secret[4:24] not in result.stdout + result.stderr
        assert not (tmp_path / "reserve").exists()


@pytest.mark.parametrize(
    ("kind", "edit"),
    [
        (VaultFormat.ELECTRUM, lambda document: document["x1/"].update(seed="ZW5jcnlwdGVk")),
        (VaultFormat.ELECTRUM, lambda document: document["x1/"].update(xprv="ZW5jcnlwdGVk")),
        (VaultFormat.SPARROW, lambda document: document["keystores"][0].update(seed={"encryptedBytes": "00"})),
        (VaultFormat.SPARROW, lambda document: document["keystores"][0].update(masterPrivateExtendedKey={"a": "b"})),
    ],
)
def test_a90_an_encrypted_secret_in_a_wallet_file(
    tmp_path: Path, kind: VaultFormat, edit: Callable[[Any], object]
) -> None:
    result = _assert_refused(tmp_path, edited(TRUE, kind, edit), "SECRET_MATERIAL")
    assert "ZW5jcnlwdGVk" not in result.stderr


def test_a90_a_seed_line_in_a_bluewallet_file(tmp_path: Path) -> None:
    text = exported_text(TRUE, VaultFormat.BLUEWALLET) + "\nseed: some words - passphrase\n"
    result = _assert_refused(tmp_path, text.encode(), "SECRET_MATERIAL")
    assert "some words" not in result.stderr


@pytest.mark.parametrize("kind", list(WRITERS))
def test_a10_a_replaced_key_in_any_format(tmp_path: Path, kind: VaultFormat) -> None:
    keys = tuple(item.key for item in TRUE.cosigners)
    false = vault_of((*keys[:2], make_keys(1, seed=99)[0]))
    text = exported_text(false, kind)
    _assert_refused(tmp_path, text.encode(), "COSIGNER_MISMATCH", 3, "--expect-descriptor", TRUE.descriptor_text)
    (tmp_path / "true.txt").write_text(TRUE.descriptor_text)
    compared = run(["vault", "compare", tmp_path / "received", tmp_path / "true.txt", "--network", "regtest", "--json"])
    assert (compared.exit_code, compared.json["same"]) == (3, False)
    assert {finding["code"] for finding in compared.json["findings"]} >= {"COSIGNER_MISMATCH"}


@pytest.mark.parametrize("kind", list(WRITERS))
def test_a11_one_key_twice_in_any_format(tmp_path: Path, kind: VaultFormat) -> None:
    keys = tuple(item.key for item in TRUE.cosigners)
    text = exported_text(vault_of((*keys[:2], keys[0])), kind)
    _assert_refused(tmp_path, text.encode(), "DUPLICATE_COSIGNER")


@pytest.mark.parametrize("kind", list(WRITERS))
def test_a14_a_changed_threshold_in_any_format(tmp_path: Path, kind: VaultFormat) -> None:
    keys = tuple(item.key for item in TRUE.cosigners)
    text = exported_text(vault_of(keys, threshold=1), kind)
    _assert_refused(tmp_path, text.encode(), "VAULT_MISMATCH", 3, "--expect-descriptor", TRUE.descriptor_text)
