"""What we export, read by libraries that the other programs themselves use: embit (Specter) and BIP 388 by btclib."""

from dataclasses import replace

import pytest
from btclib_wallet.descriptors import parse as btclib_parse
from btclib_wallet.descriptors import wallet_policy_descriptor
from embit.descriptor import Descriptor as EmbitDescriptor

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.network import Network
from custody.vault.formats.detect import VaultFormat
from custody.vault.vault import Vault
from support.vaults import make_vault
from support.wallet_files import exported_json, exported_text

_INDEXES = (0, 1, 9, 5_000)
_BTCLIB_NETWORKS = {
    Network.MAIN: "mainnet",
    Network.TESTNET4: "testnet4",
    Network.SIGNET: "signet",
    Network.REGTEST: "regtest",
}

each_vault = pytest.mark.parametrize(
    "vault",
    [make_vault(3, 5, network=network, script_type=kind) for network in Network for kind in ScriptType],
    ids=[f"{network}-{kind}" for network in Network for kind in ScriptType],
)


def _scripts(vault: Vault, branch: int) -> list[str]:
    return [vault.deriver.at(branch, index).script_pubkey.hex() for index in _INDEXES]


@each_vault
def test_specter_reads_the_receiving_descriptor_as_its_importer_demands(vault: Vault) -> None:
    descriptor = EmbitDescriptor.from_string(exported_json(vault, VaultFormat.SPECTER)["descriptor"])
    # Specter's importer refuses every other ending, and derives change itself on branch 1.
    assert all(key.allowed_derivation.indexes == [0, None] for key in descriptor.keys)
    scripts = [descriptor.derive(index).script_pubkey().data.hex() for index in _INDEXES]
    assert scripts == _scripts(vault, 0)


@each_vault
def test_specter_diy_derives_both_branches_of_the_line(vault: Vault) -> None:
    descriptor = EmbitDescriptor.from_string(exported_text(vault, VaultFormat.SPECTER_DIY).strip().partition("&")[2])
    for branch in (0, 1):
        scripts = [descriptor.derive(index, branch_index=branch).script_pubkey().data.hex() for index in _INDEXES]
        assert scripts == _scripts(vault, branch)


@each_vault
def test_btclib_derives_both_branches_of_the_wallet_policy(vault: Vault) -> None:
    policy = exported_json(vault, VaultFormat.BIP388)
    network = _BTCLIB_NETWORKS[vault.network]
    keys = [btclib_parse(f"wpkh({key})", network).key_expressions[0] for key in policy["keys_info"]]
    for branch in (0, 1):
        descriptor = wallet_policy_descriptor(policy["descriptor_template"], keys, branch, network)
        scripts = [descriptor.script_pub_key(index).script.hex() for index in _INDEXES]
        assert scripts == _scripts(vault, branch)


def test_a_name_that_a_policy_can_not_hold_does_not_exist() -> None:
    # BIP 388 on a Ledger: 1 to 64 printable characters; a vault's own name is stricter.
    policy = exported_json(replace(make_vault(), name="a" * 64), VaultFormat.BIP388)
    assert len(policy["name"]) == 64
