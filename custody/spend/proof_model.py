"""A proof as a value: which message it signs, by which route, and what a signer has to see of it.

Some devices sign such a transaction without showing its message, so the message, its hashes and the block that it
names stand in every review.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from custody.bitcoin.bip322_transactions import message_hash
from custody.bitcoin.hashing import sha256
from custody.codes import Code
from custody.documents.display import escape
from custody.errors import InvalidInput, JsonValue

MAX_MESSAGE = 4_096
"""Bytes of a message: devices have limits of their own, far below; of a longer text its hash is signed."""

_HEIGHT = re.compile(r"\bblock(?: height)?[ :#]{1,3}([0-9]{1,9})\b", re.IGNORECASE | re.ASCII)
_HASH = re.compile(r"\bblock[^\n]*?\b([0-9a-f]{64})\b", re.IGNORECASE | re.ASCII)


DEVICE_MESSAGE = 330
"""Characters that a device shows of a message; a longer one it refuses (Coldcard 5.5.1 and 1.4.1Q, `psbt.py`)."""


class ProofKind(StrEnum):
    """The route of a proof."""

    BIP322 = "bip322"
    """A signed message, of one address, over coins or without."""
    BIP127 = "bip127"
    """A transaction of all coins whose first input can't exist."""


@dataclass(frozen=True, slots=True)
class NamedBlock:
    """The block that a message names, as far as it does; a claim of the message, never looked up here."""

    height: int | None
    block_hash: str | None

    @classmethod
    def in_text(cls, text: str) -> "NamedBlock | None":
        """Find `block: HEIGHT` and a hash of 64 hex digits on a line that speaks of a block."""
        height, block_hash = _HEIGHT.search(text), _HASH.search(text)
        if height is None and block_hash is None:
            return None
        return cls(int(height[1]) if height else None, block_hash[1].lower() if block_hash else None)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the form of a review's `proof.block`."""
        return {"height": self.height, "hash": self.block_hash}


@dataclass(frozen=True, slots=True)
class ProofClaim:
    """What a PSBT proves, once signed."""

    kind: ProofKind
    message: bytes
    address: str | None
    """Whose script signs the message; None for BIP 127."""
    coins: int
    """How many coins it proves control of."""
    total: int
    """Their sum, in satoshis."""

    @property
    def text(self) -> str:
        """The message as text; bytes that are no UTF-8 as `\\xNN`."""
        return self.message.decode("utf-8", errors="backslashreplace")

    @property
    def shown_lines(self) -> tuple[str, ...]:
        """The message's lines, each safe to show."""
        return tuple(escape(line) for line in self.text.split("\n"))

    @property
    def sha256(self) -> str:
        """SHA-256 of the message, in hex: what people compare by voice."""
        return sha256(self.message).hex()

    @property
    def message_hash(self) -> str | None:
        """What the transaction commits to by BIP 322, in hex; None for BIP 127."""
        return message_hash(self.message).hex() if self.kind is ProofKind.BIP322 else None

    @property
    def block(self) -> NamedBlock | None:
        """The block that the message names."""
        return NamedBlock.in_text(self.text)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the form of a review's `proof`."""
        block = self.block
        return {
            "kind": str(self.kind),
            "message": self.text,
            "message_sha256": self.sha256,
            "message_hash": self.message_hash,
            "address": self.address,
            "block": None if block is None else block.to_json(),
            "coins": self.coins,
            "total_sats": self.total,
        }


def require_message(message: bytes) -> None:
    """Demand a message that PSBTs and people can carry.

    Raises:
        InvalidInput: MESSAGE_INVALID: empty, longer than `MAX_MESSAGE`, or no UTF-8.
    """
    problem = message_problem(message)
    if problem is not None:
        raise InvalidInput(
            Code.MESSAGE_INVALID,
            problem,
            advice=f"Give a UTF-8 text of 1 to {MAX_MESSAGE} bytes; of a longer one sign the hash.",
        )


def device_problem(message: bytes) -> str | None:
    """Return why devices that show messages would refuse this one, None where nothing is known against it.

    Source: Coldcard firmware, `validate_text_for_signing` as its PSBTs call it: 2 to 330 characters of printable
    ASCII, tabs and line feeds, no space at either end, no three in a row.
    """
    if not all(byte in b"\t\n" or 32 <= byte < 127 for byte in message):
        return "it has characters other than printable ASCII"
    if not 2 <= len(message) <= DEVICE_MESSAGE:
        return f"it has {len(message)} characters, 2 to {DEVICE_MESSAGE} are shown"
    if message != message.strip(b" ") or b"   " in message:
        return "it has a space at its end or three in a row"
    return None


def message_problem(message: bytes) -> str | None:
    """Return what is wrong with a message, None where nothing is."""
    if not message:
        return "the message is empty"
    if len(message) > MAX_MESSAGE:
        return f"the message has {len(message)} bytes, at most {MAX_MESSAGE} are signed"
    try:
        message.decode("utf-8")
    except UnicodeDecodeError:
        return "the message is not UTF-8 text"
    return None
