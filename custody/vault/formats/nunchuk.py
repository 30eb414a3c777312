"""Nunchuk's multisig configuration: Coldcard's text, each key after its own path.

Nunchuk also writes plain BSMS records, which are read as such.
Source: nunchuk-io/libnunchuk, src/utils/multisigconfig.hpp.
"""

from custody.vault.formats import multisig_text
from custody.vault.formats.foreign_keys import require_both_branches
from custody.vault.vault import Vault

HEADING = "Exported from Nunchuk"
"""How the first comment begins: what tells this dialect from the others."""
_NAME_LENGTH = 20

parse = multisig_text.parse


def write(vault: Vault) -> str:
    """Return the text that Nunchuk imports.

    Raises:
        InvalidInput: RECEIVE_ONLY_VAULT.
    """
    require_both_branches(vault, "nunchuk")
    head = multisig_text.head(vault, comment=HEADING, nested="P2WSH-P2SH", name_length=_NAME_LENGTH)
    return "\n".join((*head, *multisig_text.keys_each_with_path(vault))) + "\n"
