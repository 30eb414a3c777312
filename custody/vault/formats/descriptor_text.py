"""A descriptor as plain text: one line with both branches (BIP 389), or one line per branch.

The checksum is demanded on every line, as Bitcoin Core does on import. Comments and anything
else beside the descriptors are refused.
"""

from custody.bitcoin.descriptor import Branch, Descriptor, join_branches
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import InvalidInput
from custody.vault.vault import Vault

MAX_BYTES = 100_000


def parse(data: bytes, network: Network) -> Descriptor:
    """Read one descriptor, or two of one branch each, which are joined.

    Raises:
        InvalidInput: not ASCII, no or too many lines, and all that descriptors are refused for.
    """
    lines = _lines(data)
    if len(lines) == 1:
        return Descriptor.parse(lines[0], network)
    first, second = (Descriptor.parse(line, network) for line in lines)
    if first.branches == (Branch.CHANGE,):
        # Without a label nothing says which line receives but the branch itself.
        first, second = second, first
    return join_branches(first, second)


def write(vault: Vault) -> str:
    """Return the canonical descriptor with its checksum, and a line feed."""
    return f"{vault.descriptor_text}\n"


def _lines(data: bytes) -> list[str]:
    if len(data) > MAX_BYTES:
        raise InvalidInput(
            Code.FILE_TOO_LARGE,
            f"a descriptor of {len(data)} bytes is larger than {MAX_BYTES}",
            advice="Check that it is the file that you mean.",
        )
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as cause:
        raise _refused("a descriptor holds a character that is not ASCII") from cause
    lines = [line.strip(" \t\r") for line in text.split("\n") if line.strip(" \t\r")]
    if len(lines) not in (1, 2):
        raise _refused(f"the text has {len(lines)} lines, expected one descriptor, or one per branch")
    return lines


def _refused(message: str) -> InvalidInput:
    return InvalidInput(
        Code.DESCRIPTOR_INVALID, message, advice="Give the descriptor with its checksum and nothing else."
    )
