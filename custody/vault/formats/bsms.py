"""A descriptor record of BIP 129 (BSMS 1.0): four lines, the last one the first address.

What the record says twice, its first address, must be what both engines derive from its descriptor,
and its path restrictions must be the branches that the descriptor has. Only `/0/*,/1/*` is built:
a record with other restrictions would make other addresses than a vault's. Encryption, tokens and key
records stand in `bsms_cipher`, `bsms_token` and `bsms_key_record`.
Source: BIP 129, Round 2 and Descriptor Template.
"""

from custody.bitcoin.address import script_of
from custody.bitcoin.descriptor import Branch, Descriptor, ScriptType
from custody.bitcoin.network import Network
from custody.bitcoin.second_opinion import SecondOpinion, require_same_scripts
from custody.codes import Code
from custody.errors import Finding, InvalidInput
from custody.vault.bsms_cipher import is_sealed
from custody.vault.bsms_key_record import record_key_text
from custody.vault.bsms_lines import VERSION, record_lines
from custody.vault.formats.foreign_keys import require_both_branches
from custody.vault.formats.loose_descriptor import parse_without_checksum
from custody.vault.vault import Vault, deriver_of

_NO_RESTRICTIONS = "No path restrictions"
_BOTH_BRANCHES = "/0/*,/1/*"
_KEY_RECORD_LINES = 5


def parse(data: bytes, network: Network) -> tuple[Descriptor, tuple[Finding, ...]]:
    """Read the vault of a plain descriptor record.

    Raises:
        CheckFailed: ENGINES_DISAGREE.
        InvalidInput: BSMS_VERSION, BSMS_PATHS, BSMS_FIRST_ADDRESS, MALFORMED_DOCUMENT, UNKNOWN_FORMAT for a
            key record or an encrypted one, and all that descriptors and addresses are refused for.
    """
    _version, descriptor_text, restrictions, first_address = (line.strip(" \t") for line in _lines(data))
    # The first address shows a slip of the pen, so that a missing checksum, as in the BIP's records, is no warning.
    descriptor, _no_checksum = parse_without_checksum(descriptor_text, network)
    _require_paths(restrictions, descriptor)
    _require_first_address(descriptor, first_address, network)
    return descriptor, ()


def write(vault: Vault) -> str:
    """Return the descriptor record: a template, both branches, and the first address of both engines.

    Raises:
        CheckFailed: ENGINES_DISAGREE. InvalidInput: RECEIVE_ONLY_VAULT.
    """
    return f"{record_text(vault)}\n"


def record_text(vault: Vault) -> str:
    """Return the four lines without a line feed at the end: the plaintext that is sealed; as `write`."""
    require_both_branches(vault, "bsms")
    keys = ",".join(f"{record_key_text(key, vault.network)}/**" for key in vault.descriptor.keys)
    body = f"wsh(sortedmulti({vault.threshold},{keys}))"
    if vault.descriptor.script_type is ScriptType.SH_WSH_SORTEDMULTI:
        body = f"sh({body})"
    _require_first_address(vault.descriptor, vault.first_address, vault.network)
    return "\n".join((VERSION, body, _BOTH_BRANCHES, vault.first_address))


def _lines(data: bytes) -> list[str]:
    if is_sealed(data):
        raise InvalidInput(
            Code.UNKNOWN_FORMAT,
            "the file is an encrypted BSMS record",
            advice="Give its token with `vault import --token-file`.",
        )
    lines = data.strip().split(b"\n")
    if len(lines) == _KEY_RECORD_LINES and lines[2].startswith(b"["):
        raise InvalidInput(
            Code.UNKNOWN_FORMAT,
            "the file is a BSMS key record, one cosigner's key, and not a wallet",
            advice="The coordinator takes it with `cosigner accept`; give the descriptor record made of all of them.",
        )
    return record_lines(data.strip(), range(4, 5), "the descriptor record")


def _require_paths(restrictions: str, descriptor: Descriptor) -> None:
    # An empty line is what some coordinators write for none.
    if restrictions not in ("", _NO_RESTRICTIONS, _BOTH_BRANCHES):
        raise _paths(f"the record's path restrictions are not `{_BOTH_BRANCHES}`")
    if restrictions == _BOTH_BRANCHES and descriptor.branches != (Branch.RECEIVE, Branch.CHANGE):
        raise _paths(f"the record's path restrictions are `{_BOTH_BRANCHES}`, its descriptor has other branches")


def _require_first_address(descriptor: Descriptor, first_address: str, network: Network) -> None:
    stated = script_of(first_address, network)
    branch = descriptor.branches[0]
    derived = deriver_of(descriptor).at(branch, 0).script_pubkey
    second = SecondOpinion(descriptor.to_text(network), network).script_pubkey_at(0, 0)
    require_same_scripts([derived], [second], what="the first address of the record")
    if derived != stated:
        raise InvalidInput(
            Code.BSMS_FIRST_ADDRESS,
            "the first address of the record is not that of its descriptor",
            advice="Use neither; ask the coordinator over another channel what happened to the record.",
        )


def _paths(message: str) -> InvalidInput:
    return InvalidInput(
        Code.BSMS_PATHS,
        message,
        advice="Ask the coordinator for a record with receive branch 0 and change branch 1.",
    )
