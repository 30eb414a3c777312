"""Keystone's multisig setup text: Coldcard's, with the older name of sh(wsh()).

The firmware refuses wallets of test networks, so such a file can't be rehearsed on the device.
Source: KeystoneHQ/keystone3-firmware, rust/apps/bitcoin/src/multi_sig/wallet.rs.
"""

from custody.vault.formats import multisig_text
from custody.vault.formats.foreign_keys import require_both_branches
from custody.vault.vault import Vault

HEADING = "Keystone Multisig"
"""How the first comment begins: what tells this dialect from the others."""
_NAME_LENGTH = 20

parse = multisig_text.parse


def write(vault: Vault) -> str:
    """Return the text that a Keystone imports.

    Raises:
        InvalidInput: RECEIVE_ONLY_VAULT.
    """
    require_both_branches(vault, "keystone")
    head = multisig_text.head(
        vault, comment=f"{HEADING} setup file (created by custody)", nested="P2WSH-P2SH", name_length=_NAME_LENGTH
    )
    return "\n".join((*head, *multisig_text.keys_grouped(vault))) + "\n"
