"""Liana's backup: JSON with accounts, each with a descriptor. Read only.

A vault has no timelocks, and a Liana wallet always has one; what remains are backups of the same
shape whose descriptor is a plain sorted multisig. Any other is refused as unsupported, by name.
Source: wizardsardine/liana, liana-gui/src/backup.rs.
"""

from custody.bitcoin.descriptor import Descriptor
from custody.bitcoin.network import Network
from custody.errors import Finding
from custody.vault.formats.foreign_json import read_object
from custody.vault.formats.foreign_keys import inconsistent, require_network
from custody.vault.formats.loose_descriptor import parse_with_checksum


def parse(data: bytes, network: Network) -> tuple[Descriptor, tuple[Finding, ...]]:
    """Read the one account of a backup.

    Raises:
        InvalidInput: NETWORK_MISMATCH, IMPORT_INCONSISTENT, DESCRIPTOR_UNSUPPORTED, and all that
            descriptors are refused for.
    """
    document = read_object(data, "the Liana backup")
    require_network(document.text("network"), network)
    accounts = document.objects("accounts", called="account")
    if len(accounts) != 1:
        raise inconsistent(f"the Liana backup holds {len(accounts)} accounts, expected one")
    return parse_with_checksum(accounts[0].text("descriptor"), network), ()
