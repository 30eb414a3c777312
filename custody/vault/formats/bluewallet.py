"""BlueWallet's coordination setup: Coldcard's text, differing paths in comments before their keys.

The file that BlueWallet writes for itself may hold `seed:` lines; it is refused as a secret.
Source: BlueWallet/BlueWallet, class/wallets/multisig-hd-wallet.ts.
"""

from custody.vault.formats import multisig_text
from custody.vault.formats.foreign_keys import require_both_branches
from custody.vault.vault import Vault

HEADING = "BlueWallet Multisig"
"""How the first comment begins: what tells this dialect from the others."""
_NAME_LENGTH = 64

parse = multisig_text.parse


def write(vault: Vault) -> str:
    """Return the text that BlueWallet imports.

    Raises:
        InvalidInput: RECEIVE_ONLY_VAULT.
    """
    require_both_branches(vault, "bluewallet")
    head = multisig_text.head(
        vault,
        comment=f"{HEADING} setup file\nthis file contains only public keys and is safe to\ndistribute among cosigners",
        nested="P2SH-P2WSH",
        name_length=_NAME_LENGTH,
    )
    return "\n".join((*head, *multisig_text.keys_grouped(vault, marker="# derivation"))) + "\n"
