"""Specter-DIY's `addwallet NAME&DESCRIPTOR`: one line of text, in a file or a QR code.

The device takes keys without an ending for `/{0,1}/*`, which is also what we write. It writes no
checksum; one that is there is checked.
Source: cryptoadvance/specter-diy, docs/communication.md and docs/descriptors.md.
"""

from custody.bitcoin.descriptor import Descriptor
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import Finding, InvalidInput
from custody.vault.formats.foreign_keys import require_both_branches
from custody.vault.formats.foreign_text import read_lines
from custody.vault.formats.loose_descriptor import parse_without_checksum, text_with_ending
from custody.vault.vault import Vault

COMMAND = "addwallet "


def parse(data: bytes, network: Network) -> tuple[Descriptor, tuple[Finding, ...]]:
    """Read the vault of an `addwallet` line.

    Raises:
        InvalidInput: MALFORMED_DOCUMENT, and all that descriptors are refused for.
    """
    lines = read_lines(data.strip(), "the file")
    if len(lines) != 1:
        raise _malformed(f"the file has {len(lines)} lines, expected one")
    name, ampersand, descriptor = lines[0].partition("&")
    if not ampersand or not name.startswith(COMMAND):
        raise _malformed("the line is not `addwallet NAME&DESCRIPTOR`")
    return parse_without_checksum(descriptor.strip(), network)


def write(vault: Vault) -> str:
    """Return the line that a Specter-DIY imports.

    Raises:
        InvalidInput: RECEIVE_ONLY_VAULT.
    """
    require_both_branches(vault, "specter-diy")
    return f"{COMMAND}{vault.name}&{text_with_ending(vault, '/{0,1}/*')}\n"


def _malformed(message: str) -> InvalidInput:
    return InvalidInput(
        Code.MALFORMED_DOCUMENT, message, advice="Give the one line that Specter-DIY or Sparrow exported."
    )
