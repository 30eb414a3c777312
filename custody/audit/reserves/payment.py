"""The proof that every device signs: a real payment of the vault to itself that answers the challenge.

It is mined after the challenge's block, spends coins that the vault held there, and pays to a fresh address an
amount that only the challenge gives: 10,000 sat and a number of 17 bits, the first 17 of the challenge's
digest. A payment that was made for another reason has that amount with a chance of 1 in 131,072.

It proves the keys that signed it. What it says of the vault's other coins rests on the vault's descriptor, and so
does the whole proof: in any hundred blocks some stranger pays that amount to somebody, so that spender and payee must
both be shown to be the vault.
"""

import re
from dataclasses import dataclass

from custody.audit.reserves.challenge import Challenge
from custody.bitcoin.amount import Sats
from custody.spend.document import malformed

BASE_SATS = 10_000
"""Above every dust limit, and above what is set aside as unannounced."""
COMMITMENT_BITS = 17

_HEX_DIGITS = 5
_CLAIM = re.compile(r"([0-9a-f]{64}) (0|[1-9][0-9]{0,8}) ([0-9a-f]{64}) ([0-9A-Za-z]{10,90})", re.ASCII)


def payment_amount(challenge: Challenge) -> Sats:
    """Return the amount that a payment for the challenge pays to the fresh address.

    >>> 10_000 + (int("fffff", 16) >> 3)
    141071
    """
    first_bits = int(challenge.digest[:_HEX_DIGITS], 16) >> (4 * _HEX_DIGITS - COMMITMENT_BITS)
    return Sats(BASE_SATS + first_bits)


def is_in_time(challenge: Challenge, claim: "PaymentClaim") -> bool:
    """Whether the block that is named lies after the challenge's and not after its end."""
    return challenge.height < claim.height <= challenge.expires_height


@dataclass(frozen=True, slots=True)
class PaymentClaim:
    """Where a payment is to be found, and to which address it pays the amount: the holder's words."""

    txid: str
    height: int
    block_hash: str
    address: str

    @classmethod
    def parse(cls, text: str) -> "PaymentClaim":
        """Read the text of a statement's proof: four words, parted by one space.

        Raises:
            InvalidInput: MALFORMED_DOCUMENT.
        """
        match = _CLAIM.fullmatch(text)
        if match is None:
            raise malformed("the proof by payment is not `txid height block_hash address`")
        return cls(match[1], int(match[2]), match[3], match[4])

    def to_text(self) -> str:
        """Return the text of a statement's proof."""
        return f"{self.txid} {self.height} {self.block_hash} {self.address}"
