"""A plain descriptor record of BIP 129 (BSMS 1.0): four lines, the last one the first address.

Read only. What the record says twice, its first address, must be what its descriptor gives. The
rounds of the protocol, tokens, encryption and key records are not read here.
Source: BIP 129.
"""

from custody.bitcoin.address import script_of
from custody.bitcoin.derivation import ScriptDeriver
from custody.bitcoin.descriptor import Branch, Descriptor
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import Finding, InvalidInput
from custody.vault.formats.foreign_keys import inconsistent, unsupported
from custody.vault.formats.foreign_text import read_lines
from custody.vault.formats.loose_descriptor import parse_without_checksum

VERSION = "BSMS 1.0"
_NO_RESTRICTIONS = "No path restrictions"
_BOTH_BRANCHES = "/0/*,/1/*"


def parse(data: bytes, network: Network) -> tuple[Descriptor, tuple[Finding, ...]]:
    """Read the vault of a descriptor record.

    Raises:
        InvalidInput: MALFORMED_DOCUMENT, UNKNOWN_FORMAT for a key record, IMPORT_INCONSISTENT for
            another first address, and all that descriptors are refused for.
    """
    version, descriptor_text, restrictions, first_address = _lines(data)
    if version != VERSION:
        raise _malformed("the record's version is not `BSMS 1.0`")
    if restrictions not in ("", _NO_RESTRICTIONS, _BOTH_BRANCHES):
        raise unsupported("a wallet with other path restrictions than /0/*,/1/*")
    descriptor, findings = parse_without_checksum(descriptor_text, network)
    if ScriptDeriver(descriptor).at(Branch.RECEIVE, 0).script_pubkey != script_of(first_address, network):
        raise inconsistent("the first address of the record is not that of its descriptor")
    return descriptor, findings


def _lines(data: bytes) -> list[str]:
    lines = read_lines(data.strip(), "the record")
    if len(lines) == 5 and lines[2].startswith("["):
        raise InvalidInput(
            Code.UNKNOWN_FORMAT,
            "the file is a BSMS key record, one cosigner's key, and not a wallet",
            advice="Give the descriptor record that the coordinator made of all key records.",
        )
    if len(lines) != 4:
        raise _malformed(f"the record has {len(lines)} lines, expected four")
    return lines


def _malformed(message: str) -> InvalidInput:
    return InvalidInput(Code.MALFORMED_DOCUMENT, message, advice="Ask the coordinator for the record again.")
