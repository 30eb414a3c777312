"""A real node takes our export of a vault, derives our addresses from it, and lists it in a form that we read back."""

import json
from pathlib import Path

import pytest

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.network import Network
from custody.errors import JsonValue, SecretRefused
from custody.vault.formats import core_descriptors
from custody.vault.formats.detect import VaultFormat
from custody.vault.formats.registry import ImportTerms
from custody.vault.importing import import_vault
from support.node import Node
from support.vaults import make_vault

pytestmark = pytest.mark.node

_TYPES = {ScriptType.WSH_SORTEDMULTI: "bech32", ScriptType.SH_WSH_SORTEDMULTI: "p2sh-segwit"}
"""What the node calls the addresses."""


@pytest.mark.parametrize("script_type", list(ScriptType))
def test_a_node_takes_our_export_and_lists_it_back(node: Node, script_type: ScriptType) -> None:
    vault = make_vault(3, 5, script_type=script_type)
    name = f"vault-export-{script_type}"
    node.rpc("createwallet", name, True, True)
    wallet = node.json_rpc.for_wallet(name)
    exported = json.loads(core_descriptors.write(vault))
    answers = wallet.call("importdescriptors", [exported])
    assert isinstance(answers, list)
    assert [answer["success"] for answer in answers if isinstance(answer, dict)] == [True, True]

    listed = wallet.call("listdescriptors", [])
    imported = import_vault(
        json.dumps(listed).encode(),
        ImportTerms("back", Network.REGTEST),
        expected_descriptor=vault.descriptor_text,
    )
    assert imported.vault.vault_id == vault.vault_id

    # Of the very text that we export, and of what the node's wallet made of it.
    for branch, one in enumerate(exported):
        ours = [vault.address_at(branch, index) for index in range(10)]
        assert node.rpc("deriveaddresses", one["desc"], [0, 9]) == ours
        asked: tuple[str, list[JsonValue]]
        asked = (
            ("getrawchangeaddress", [_TYPES[script_type]]) if branch else ("getnewaddress", ["", _TYPES[script_type]])
        )
        assert [wallet.call(*asked) for _ in range(10)] == ours

    for branch in (0, 1):
        theirs = node.rpc("deriveaddresses", vault.descriptor.single_branch_text(branch, vault.network), [0, 99])
        assert theirs == [vault.address_at(branch, index) for index in range(100)]


def test_a_node_s_watch_only_wallet_file_is_the_vault(node: Node, tmp_path: Path) -> None:
    vault = make_vault(3, 5)
    node.rpc("createwallet", "watched", True, True)
    wallet = node.json_rpc.for_wallet("watched")
    wallet.call("importdescriptors", [json.loads(core_descriptors.write(vault))])
    wallet.call("backupwallet", [str(tmp_path / "watched.dat")])
    data = (tmp_path / "watched.dat").read_bytes()
    imported = import_vault(data, ImportTerms("back", Network.REGTEST), expected_descriptor=vault.descriptor_text)
    assert (imported.kind, imported.vault.vault_id) == (VaultFormat.CORE_WALLET, vault.vault_id)

    # One with keys, the node's own, is refused whatever stands in it.
    node.rpc("createwallet", "keys")
    node.json_rpc.for_wallet("keys").call("backupwallet", [str(tmp_path / "keys.dat")])
    with pytest.raises(SecretRefused):
        import_vault((tmp_path / "keys.dat").read_bytes(), ImportTerms("back", Network.REGTEST))
