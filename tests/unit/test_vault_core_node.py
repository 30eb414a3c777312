"""A real node takes our export of a vault, derives our addresses from it, and lists it in a form that we read back."""

import json

import pytest

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.network import Network
from custody.vault.formats import core_descriptors
from custody.vault.formats.registry import ImportTerms
from custody.vault.importing import import_vault
from support.node import Node
from support.vaults import make_vault

pytestmark = pytest.mark.node


@pytest.mark.parametrize("script_type", list(ScriptType))
def test_a_node_takes_our_export_and_lists_it_back(node: Node, script_type: ScriptType) -> None:
    vault = make_vault(3, 5, script_type=script_type)
    name = f"vault-export-{script_type}"
    node.rpc("createwallet", name, True, True)
    wallet = node.json_rpc.for_wallet(name)
    answers = wallet.call("importdescriptors", [json.loads(core_descriptors.write(vault))])
    assert isinstance(answers, list)
    assert [answer["success"] for answer in answers if isinstance(answer, dict)] == [True, True]

    listed = wallet.call("listdescriptors", [])
    imported = import_vault(
        json.dumps(listed).encode(),
        ImportTerms("back", Network.REGTEST),
        expected_descriptor=vault.descriptor_text,
    )
    assert imported.vault.vault_id == vault.vault_id

    for branch in (0, 1):
        theirs = node.rpc("deriveaddresses", vault.descriptor.single_branch_text(branch, vault.network), [0, 99])
        assert theirs == [vault.address_at(branch, index) for index in range(100)]
