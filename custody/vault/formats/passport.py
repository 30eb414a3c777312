"""Passport's multisig setup text: Coldcard's, each key after its own path.

The firmware reads comments that hold a colon too, so the heading holds none.
Source: Foundation-Devices/passport2, ports/stm32/boards/Passport/modules/multisig_wallet.py.
"""

from custody.vault.formats import multisig_text
from custody.vault.formats.foreign_keys import require_both_branches
from custody.vault.vault import Vault

HEADING = "Passport Multisig"
"""How the first comment begins: what tells this dialect from the others."""
_NAME_LENGTH = 20

parse = multisig_text.parse


def write(vault: Vault) -> str:
    """Return the text that a Passport imports.

    Raises:
        InvalidInput: RECEIVE_ONLY_VAULT.
    """
    require_both_branches(vault, "passport")
    head = multisig_text.head(
        vault, comment=f"{HEADING} setup file (created by custody)", nested="P2WSH-P2SH", name_length=_NAME_LENGTH
    )
    return "\n".join((*head, *multisig_text.keys_each_with_path(vault))) + "\n"
