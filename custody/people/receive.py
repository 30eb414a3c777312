"""What officers sign about a receive address for whoever will pay to it: address, purpose, amount, payer, end.

It ends the swap of an address on its way (in a mail, on a web page, in a chat): whoever has the
officers' public keys from elsewhere knows the address again. Terms say nothing of money that came.
How many officers must sign stands in the terms, so that a document can't ask for fewer.
"""

from dataclasses import dataclass

from custody.bitcoin.address import script_of
from custody.bitcoin.amount import Sats
from custody.bitcoin.network import Network
from custody.documents.canonical_json import digest
from custody.documents.names import check_name
from custody.errors import JsonValue
from custody.people.statement import NONE, GovernanceRef, Statement, StatementKind, money, quoted
from custody.spend.document import fields_of, hash_of, integer_of, malformed, optional_of, sats_of, text_of

MAX_PURPOSE = 200
MAX_PAYER = 100
MAX_NEEDED = 20
MAX_HEIGHT = 499_999_999
"""Heights above are times (BIP 65)."""
ANY_AMOUNT = "any"

_INDEXES = 2**31


@dataclass(frozen=True, slots=True)
class ReceiveTerms:
    """One receive address with what it is for. Whether the address is the vault's, somebody has to derive."""

    vault: str
    """The vault's name."""
    vault_id: str
    network: Network
    index: int
    """On the receive branch."""
    address: str
    purpose: str
    amount: Sats | None
    """None: any amount."""
    payer: str | None
    """Who is to pay, in words."""
    drafter: str
    """The officer who wrote the terms down."""
    needed: int
    """How many different officers must sign."""
    governance: GovernanceRef
    """Newest governance statement when they were written."""
    nonce: str
    expires_height: int | None
    """Newest block at which the terms still hold; None: no end."""

    def __post_init__(self) -> None:
        check_name(self.vault)
        check_name(self.drafter)
        script_of(self.address, self.network)
        if not 1 <= len(self.purpose) <= MAX_PURPOSE or not self.purpose.strip():
            raise malformed(f"a purpose has 1 to {MAX_PURPOSE} characters and is not empty")
        if self.payer is not None and (not 1 <= len(self.payer) <= MAX_PAYER or not self.payer.strip()):
            raise malformed(f"a payer has 1 to {MAX_PAYER} characters and is not empty")
        if not 1 <= self.needed <= MAX_NEEDED:
            raise malformed(f"an attestation asks for {self.needed} officers, expected 1 to {MAX_NEEDED}")
        if self.index >= _INDEXES:
            raise malformed("the index of an address is hardened")
        if self.expires_height is not None and self.expires_height > MAX_HEIGHT:
            raise malformed(f"the height at which an attestation expires is above {MAX_HEIGHT}")
        if self.amount == 0:
            raise malformed("an amount to receive is 0")

    @property
    def receive_id(self) -> str:
        """SHA-256 (hex) of the canonical document."""
        return digest(self.to_document())

    @property
    def statement(self) -> Statement:
        """What officers sign."""
        return Statement(
            StatementKind.RECEIVE,
            (
                ("vault", self.vault),
                ("vault id", self.vault_id),
                ("network", str(self.network)),
                ("address", self.address),
                ("index", f"receive {self.index}"),
                ("amount", ANY_AMOUNT if self.amount is None else money(self.amount)),
                ("payer", quoted(self.payer)),
                ("purpose", quoted(self.purpose)),
                ("drafter", self.drafter),
                ("officers who must sign", str(self.needed)),
                ("governance", self.governance.words()),
                ("nonce", self.nonce),
                ("expires", NONE if self.expires_height is None else f"after block {self.expires_height}"),
            ),
        )

    def to_document(self) -> dict[str, JsonValue]:
        """Return the terms as they stand in the journal and, with a format, in the payer's document."""
        return {
            "vault": self.vault,
            "vault_id": self.vault_id,
            "network": str(self.network),
            "index": self.index,
            "address": self.address,
            "purpose": self.purpose,
            "amount_sats": self.amount,
            "payer": self.payer,
            "drafter": self.drafter,
            "needed": self.needed,
            "governance": {"number": self.governance.number, "digest": self.governance.digest},
            "nonce": self.nonce,
            "expires_height": self.expires_height,
        }

    @classmethod
    def from_document(cls, value: JsonValue, what: str = "an attestation's terms") -> "ReceiveTerms":
        """Read terms, strictly.

        Raises:
            InvalidInput: MALFORMED_DOCUMENT, UNKNOWN_FIELD, NAME_INVALID, ADDRESS_INVALID, NETWORK_MISMATCH.
        """
        found = fields_of(value, what, TERMS_KEYS)
        network = text_of(found["network"], "network")
        if network not in set(Network):
            raise malformed(f"{what} are for an unknown network")
        named = fields_of(found["governance"], "governance", ("number", "digest"))
        return cls(
            vault=text_of(found["vault"], "vault"),
            vault_id=hash_of(found["vault_id"], "vault_id"),
            network=Network(network),
            index=integer_of(found["index"], "index"),
            address=text_of(found["address"], "address"),
            purpose=text_of(found["purpose"], "purpose"),
            amount=optional_of(sats_of, found["amount_sats"], "amount_sats"),
            payer=optional_of(text_of, found["payer"], "payer"),
            drafter=text_of(found["drafter"], "drafter"),
            needed=integer_of(found["needed"], "needed"),
            governance=GovernanceRef(integer_of(named["number"], "number"), hash_of(named["digest"], "digest")),
            nonce=_nonce_of(found["nonce"]),
            expires_height=optional_of(integer_of, found["expires_height"], "expires_height"),
        )


TERMS_KEYS = (
    "vault",
    "vault_id",
    "network",
    "index",
    "address",
    "purpose",
    "amount_sats",
    "payer",
    "drafter",
    "needed",
    "governance",
    "nonce",
    "expires_height",
)


def _nonce_of(value: JsonValue) -> str:
    nonce = text_of(value, "nonce")
    if len(nonce) != 32 or not set(nonce) <= set("0123456789abcdef"):
        raise malformed("the nonce of an attestation is not 32 lower-case hex characters")
    return nonce
