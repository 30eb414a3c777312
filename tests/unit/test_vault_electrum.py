"""A real Electrum opens our export, derives our addresses from it, and writes a file that we read back."""

from pathlib import Path

import pytest

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.network import Network
from custody.vault.formats.detect import VaultFormat
from custody.vault.formats.registry import ImportTerms, write_vault
from custody.vault.importing import import_vault
from support.electrum import FLAGS, Electrum
from support.vaults import make_vault

pytestmark = pytest.mark.electrum


@pytest.mark.parametrize("network", list(FLAGS))
@pytest.mark.parametrize("script_type", list(ScriptType))
def test_electrum_opens_our_export_and_writes_it_back(
    electrum: Electrum, tmp_path: Path, network: Network, script_type: ScriptType
) -> None:
    vault = make_vault(3, 5, network=network, script_type=script_type)
    wallet = tmp_path / "wallet.json"
    wallet.write_text(write_vault(vault, VaultFormat.ELECTRUM))
    for branch, which in ((0, "receiving"), (1, "change")):
        theirs = electrum.addresses(wallet, network, which)
        assert theirs[:10] == [vault.address_at(branch, index) for index in range(10)]
    imported = import_vault(
        wallet.read_bytes(), ImportTerms("back", network), expected_descriptor=vault.descriptor_text
    )
    assert (imported.kind, imported.vault.vault_id) == (VaultFormat.ELECTRUM, vault.vault_id)
