"""Jade's multisig setup text: Coldcard's, each key after its own path, and a name of 15 characters.

`Sorted: False` and `BlindingKey:`, which only Jade knows, are refused by name.
Source: Blockstream/Jade, main/multisig.c.
"""

from custody.vault.formats import multisig_text
from custody.vault.formats.foreign_keys import require_both_branches
from custody.vault.vault import Vault

HEADING = "Jade Multisig setup file"
"""How the first comment begins: what tells this dialect from the others."""
_NAME_LENGTH = 15

parse = multisig_text.parse


def write(vault: Vault) -> str:
    """Return the text that a Jade imports.

    Raises:
        InvalidInput: RECEIVE_ONLY_VAULT.
    """
    require_both_branches(vault, "jade")
    head = multisig_text.head(vault, comment=HEADING, nested="P2SH-P2WSH", name_length=_NAME_LENGTH)
    return "\n".join((*head, *multisig_text.keys_each_with_path(vault))) + "\n"
