"""Coldcard's multisig setup text, which its firmware imports from SD card, USB, NFC or QR.

The firmware takes a missing `Format:` for P2SH and skips lines that it doesn't know; we do neither.
Source: Coldcard/firmware, shared/multisig.py and docs/limitations.md.
"""

from custody.vault.formats import multisig_text
from custody.vault.formats.foreign_keys import require_both_branches
from custody.vault.vault import Vault

HEADING = "Coldcard Multisig"
"""How the first comment begins: what tells this dialect from the others."""
_NAME_LENGTH = 20

parse = multisig_text.parse


def write(vault: Vault) -> str:
    """Return the text that a Coldcard imports.

    Raises:
        InvalidInput: RECEIVE_ONLY_VAULT.
    """
    require_both_branches(vault, "coldcard")
    head = multisig_text.head(
        vault, comment=f"{HEADING} setup file (created by custody)", nested="P2SH-P2WSH", name_length=_NAME_LENGTH
    )
    return "\n".join((*head, *multisig_text.keys_grouped(vault))) + "\n"
