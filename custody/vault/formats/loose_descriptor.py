"""Descriptors as wallet files hold them: with other endings than BIP 389's, some without a checksum.

`/**` (BIP 129, BIP 388), `/{0,1}/*` (Specter-DIY) and no ending at all mean both branches in those
formats, and `/0/*` does where the caller says that its format derives the change branch itself.
A checksum that is there must be right; where a format's own writer leaves it out, the file is read
and a warning asks for the comparison that the checksum would have spared.
"""

import re

from custody.bitcoin.descriptor import Branch, Descriptor, ScriptType
from custody.bitcoin.descriptor_checksum import add_checksum, require_checksum
from custody.bitcoin.keys import refuse_private_keys
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import Finding, Severity
from custody.vault.vault import Vault

_ENDING = re.compile(r"(?P<key>\][1-9A-HJ-NP-Za-km-z]{90,120})(?P<ending>/\*\*|/\{0,1\}/\*|/<0;1>/\*|)(?=[,)])")
_MULTIPATH = r"\g<key>/<0;1>/*"


def parse_with_checksum(text: str, network: Network) -> Descriptor:
    """Read a descriptor whose checksum is demanded.

    Raises:
        InvalidInput: CHECKSUM_MISSING, CHECKSUM_MISMATCH, and all that descriptors are refused for.
    """
    refuse_private_keys(text, place="a descriptor")
    return _parse_body(require_checksum(text), network)


def parse_without_checksum(text: str, network: Network) -> tuple[Descriptor, tuple[Finding, ...]]:
    """Read a descriptor that may lack its checksum, and warn if it does."""
    if "#" in text:
        return parse_with_checksum(text, network), ()
    refuse_private_keys(text, place="a descriptor")
    warning = Finding(
        Code.CHECKSUM_MISSING,
        Severity.WARN,
        "vault",
        "the descriptor in the file has no checksum, so a slip of the pen would not show",
        "Compare the first addresses with the wallet that made the file.",
    )
    return _parse_body(text, network), (warning,)


def with_both_branches(descriptor: Descriptor) -> Descriptor:
    """Return the descriptor of both branches of a receiving one, where the format derives change on branch 1."""
    if descriptor.branches != (Branch.RECEIVE,):
        return descriptor
    branches = (int(Branch.RECEIVE), int(Branch.CHANGE))
    return Descriptor(descriptor.script_type, descriptor.threshold, descriptor.keys, branches)


def text_with_ending(vault: Vault, ending: str) -> str:
    """Return the vault's descriptor without checksum, each key followed by `ending`."""
    keys = ",".join(f"{key.to_text(vault.network)}{ending}" for key in vault.descriptor.keys)
    body = f"wsh(sortedmulti({vault.threshold},{keys}))"
    return f"sh({body})" if vault.descriptor.script_type is ScriptType.SH_WSH_SORTEDMULTI else body


def _parse_body(body: str, network: Network) -> Descriptor:
    endings = {match["ending"] for match in _ENDING.finditer(body)}
    # Different endings are left as they are: the descriptor's own reader refuses them.
    return Descriptor.parse(add_checksum(_ENDING.sub(_MULTIPATH, body) if len(endings) == 1 else body), network)
