"""One cosigner's key from a device's file: the key for the wanted script, told once or several times."""

import json
from pathlib import Path
from typing import Any

import pytest

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import CustodyError
from custody.vault.formats import cosigner_key
from custody.vault.formats.foreign_keys import quoted_path
from support.cli import run, run_json
from support.secrets import extended
from support.vaults import make_keys, make_vault
from support.wallet_files import with_prefix

WSH, SH_WSH = ScriptType.WSH_SORTEDMULTI, ScriptType.SH_WSH_SORTEDMULTI
KEYS = {kind: make_keys(1, script_type=kind)[0] for kind in ScriptType}
FLAT = {WSH: "p2wsh", SH_WSH: "p2sh_p2wsh"}
PREFIX = {WSH: "Vpub", SH_WSH: "Upub"}


def _plain(kind: ScriptType) -> str:
    return KEYS[kind].key.to_base58(Network.REGTEST)


def _ccxp(kind: ScriptType = WSH) -> dict[str, Any]:
    """Return a Coldcard's multisig export with the key for `kind`."""
    name, key = FLAT[kind], KEYS[kind]
    return {
        "xfp": key.origin.fingerprint.hex().upper(),
        f"{name}_deriv": quoted_path(key.origin.path),
        name: with_prefix(_plain(kind), PREFIX[kind]),
        f"{name}_desc": f"wsh(sortedmulti(M,{key.to_text(Network.REGTEST)}/0/*,...))".replace("h/", "'/"),
        "account": "0",
    }


def _generic() -> dict[str, Any]:
    """Return a Coldcard's generic export."""
    section = {
        "deriv": quoted_path(KEYS[WSH].origin.path),
        "xpub": _plain(WSH),
        "_pub": with_prefix(_plain(WSH), "Vpub"),
    }
    return {"chain": "XRT", "xfp": KEYS[WSH].origin.fingerprint.hex(), "bip48_2": section, "bip84": {}}


def _refusal(document: object, kind: ScriptType = WSH, network: Network = Network.REGTEST) -> Code:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(CustodyError) as refused:
        cosigner_key.parse(data, kind, network)
    assert refused.value.exit_code == 6
    return refused.value.code


@pytest.mark.parametrize("kind", list(ScriptType))
def test_the_key_of_the_wanted_script(kind: ScriptType) -> None:
    assert cosigner_key.parse(json.dumps(_ccxp(kind)).encode(), kind, Network.REGTEST) == (KEYS[kind], True)
    other = SH_WSH if kind is WSH else WSH
    assert _refusal(_ccxp(kind), other) is Code.DESCRIPTOR_UNSUPPORTED


def test_the_older_name_and_the_generic_export() -> None:
    older = {name.replace("p2sh_p2wsh", "p2wsh_p2sh"): value for name, value in _ccxp(SH_WSH).items()}
    assert cosigner_key.parse(json.dumps(older).encode(), SH_WSH, Network.REGTEST) == (KEYS[SH_WSH], True)
    assert cosigner_key.parse(json.dumps(_generic()).encode(), WSH, Network.REGTEST) == (KEYS[WSH], False)


def test_the_text_that_many_devices_write() -> None:
    text = KEYS[WSH].to_text(Network.REGTEST)
    assert cosigner_key.parse(f"{text}\n".encode(), WSH, Network.REGTEST) == (KEYS[WSH], False)
    converted = text.replace(_plain(WSH), with_prefix(_plain(WSH), "Vpub"))
    assert cosigner_key.parse(converted.encode(), WSH, Network.REGTEST) == (KEYS[WSH], True)
    assert _refusal(f"{text}\n{text}".encode()) is Code.MALFORMED_DOCUMENT
    assert _refusal(b"\xff") is Code.MALFORMED_DOCUMENT
    assert _refusal(_plain(WSH).encode()) is Code.ORIGIN_MISSING
    assert _refusal(b"x" * 200_000) is Code.FILE_TOO_LARGE


def test_a117_a_key_that_is_told_twice_must_agree() -> None:
    other = make_keys(1, seed=9)[0]
    assert _refusal({**_ccxp(), "p2wsh_desc": "wsh(sortedmulti(M,[00000001]tpub/0/*,...))"}) is Code.IMPORT_INCONSISTENT
    lying = _generic()
    lying["bip48_2"]["_pub"] = with_prefix(other.key.to_base58(Network.REGTEST), "Vpub")
    assert _refusal(lying) is Code.IMPORT_INCONSISTENT
    assert _refusal({**_ccxp(), "p2wsh": with_prefix(_plain(WSH), "Upub")}) is Code.IMPORT_INCONSISTENT


def test_networks_missing_members_and_secrets() -> None:
    assert _refusal({**_generic(), "chain": "BTC"}) is Code.NETWORK_MISMATCH
    assert _refusal(_ccxp(), network=Network.MAIN) is Code.NETWORK_MISMATCH
    for member in ("xfp", "p2wsh_deriv"):
        assert _refusal({name: value for name, value in _ccxp().items() if name != member}) is Code.MALFORMED_DOCUMENT
    secret = extended("device", version="04358394", private=True)
    assert _refusal({**_ccxp(), "xprv": secret}) is Code.SECRET_MATERIAL


def test_create_takes_keys_from_files_and_from_the_command_line(tmp_path: Path) -> None:
    vault = make_vault()
    (tmp_path / "bo.txt").write_text(vault.cosigners[1].key.to_text(vault.network))
    (tmp_path / "cy.json").write_text(
        json.dumps(
            {
                "xfp": vault.cosigners[2].fingerprint.hex(),
                "p2wsh_deriv": quoted_path(vault.cosigners[2].key.origin.path),
                "p2wsh": with_prefix(vault.cosigners[2].key.key.to_base58(vault.network), "Vpub"),
            }
        )
    )
    command = ["vault", "create", tmp_path / "reserve", "--name", "reserve", "--network", "regtest", "--threshold", "2"]
    keys = [
        f"--cosigner=ann={vault.cosigners[0].key.to_text(vault.network)}",
        f"--cosigner-file=bo={tmp_path / 'bo.txt'}",
        f"--cosigner-file=cy={tmp_path / 'cy.json'}",
    ]
    created = run_json([*command, *keys])
    assert created["vault_id"] == vault.vault_id
    assert [finding["code"] for finding in created["findings"]] == ["SLIP132_CONVERTED"]
    assert run([*command[:2], tmp_path / "none", *command[3:]]).exit_code == 2
    assert run([*command[:2], tmp_path / "none", *command[3:], "--cosigner-file", "bo.txt"]).exit_code == 2
