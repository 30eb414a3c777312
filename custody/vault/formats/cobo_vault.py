"""Cobo Vault's multisig setup text: Coldcard's, with the older name of sh(wsh()).

The device is Keystone's predecessor.
Source: sparrowwallet/sparrow, io/CoboVaultMultisig.java and io/ColdcardMultisig.java.
"""

from custody.vault.formats import multisig_text
from custody.vault.formats.foreign_keys import require_both_branches
from custody.vault.vault import Vault

HEADING = "CoboVault Multisig"
"""How the first comment begins: what tells this dialect from the others."""
_NAME_LENGTH = 20

parse = multisig_text.parse


def write(vault: Vault) -> str:
    """Return the text that a Cobo Vault imports.

    Raises:
        InvalidInput: RECEIVE_ONLY_VAULT.
    """
    require_both_branches(vault, "cobo-vault")
    head = multisig_text.head(
        vault, comment=f"{HEADING} setup file (created by custody)", nested="P2WSH-P2SH", name_length=_NAME_LENGTH
    )
    return "\n".join((*head, *multisig_text.keys_grouped(vault))) + "\n"
