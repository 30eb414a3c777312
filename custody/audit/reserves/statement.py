"""A holder's statement of a reserve: `custody-reserves/1`. Everything in it is a claim until somebody verifies it.

It answers one challenge: these addresses held these coins at its block, and here are proofs that their
keys are ours. It can disclose the vault's descriptor, or the funded addresses alone. What no statement can
prove is said in it, in words that are part of the format.

Reading demands the form and nothing more. A sum that doesn't add up or a coin that stands twice is an answer
of the verification, with its code, and no reason to refuse the file.
"""

from dataclasses import dataclass
from enum import StrEnum

from custody.audit.reserves.challenge import Challenge, challenge_of
from custody.bitcoin.amount import Sats
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code
from custody.documents.canonical_json import canonical, digest, parse_canonical
from custody.documents.format_tag import require_format
from custody.errors import InvalidInput, JsonValue
from custody.spend.document import (
    fields_of,
    hash_of,
    integer_of,
    list_of,
    malformed,
    optional_of,
    outpoint_of,
    sats_of,
    text_of,
)

RESERVES_FORMAT = "custody-reserves/1"
MAX_BYTES = 64_000_000
MAX_ITEMS = 100_000
"""Addresses, coins or proofs."""
MAX_ADDRESS = 90
"""Characters (BIP 173)."""
MAX_PAYMENTS = 10
"""Proofs by payment: one is enough, and a node looks for each one for minutes."""
MAX_PROOF = 4_000_000
"""Characters of one proof: a proof of funds over thousands of coins."""
MAX_DESCRIPTOR = 10_000

NOT_PROVEN = (
    "completeness: the holder may have coins and vaults that are not claimed here",
    "liabilities: what the holder owes to others is not looked at",
    "title: keys show control, not ownership; the coins may be borrowed, pledged or promised to others",
    "the future: keys and coins may move after the block",
)
"""What no proof of reserves shows, whatever its form; every output lists it."""
NOT_PROVEN_WITHOUT_DESCRIPTOR = (
    "the whole vault: without its descriptor, who else holds keys and which other addresses belong to it are not shown"
)
NOT_PROVEN_BY_PAYMENT = (
    "every coin: a payment shows the keys that signed it; other coins of the vault are shown by its descriptor alone"
)

EVERYTHING_NOT_PROVEN = (*NOT_PROVEN, NOT_PROVEN_WITHOUT_DESCRIPTOR, NOT_PROVEN_BY_PAYMENT)

_KEYS = (
    "format",
    "challenge",
    "vault_id",
    "descriptor",
    "addresses",
    "coins",
    "total_sats",
    "proofs",
    "not_proven",
)


class ProofKind(StrEnum):
    """How control of an address's keys is shown."""

    BIP322 = "bip322"
    """A signed message, for one address (`smp…`, `ful…`) or for one and its coins (`pof…`)."""
    BIP127 = "bip127"
    """An unspendable transaction over the coins."""
    PAYMENT = "payment"
    """A payment of the vault to itself, mined after the challenge's block, that commits to the challenge."""


@dataclass(frozen=True, slots=True)
class ClaimedAddress:
    """An address that the holder claims, with its place in the vault where that is disclosed."""

    address: str
    branch: str | None
    """`receive` or `change`."""
    index: int | None

    def to_document(self) -> dict[str, JsonValue]:
        """Return it as it stands in a statement."""
        return {"address": self.address, "branch": self.branch, "index": self.index}


@dataclass(frozen=True, slots=True)
class ClaimedCoin:
    """A coin that the holder claims to have been unspent at the challenge's block."""

    outpoint: OutPoint
    value: Sats
    address: str

    def to_document(self) -> dict[str, JsonValue]:
        """Return it as it stands in a statement."""
        return {"outpoint": str(self.outpoint), "value_sats": self.value, "address": self.address}


@dataclass(frozen=True, slots=True)
class Proof:
    """One proof, for one or more of the claimed addresses."""

    kind: ProofKind
    addresses: tuple[str, ...]
    """Those whose keys it shows; of a BIP 322 proof the first is the one that the message is signed for."""
    text: str
    """BIP 322: the prefixed signature. BIP 127: the transaction in hex. Payment: see `PaymentClaim`."""

    def to_document(self) -> dict[str, JsonValue]:
        """Return it as it stands in a statement."""
        return {"kind": str(self.kind), "addresses": list(self.addresses), "text": self.text}


@dataclass(frozen=True, slots=True)
class Statement:
    """What a holder claims in answer to a challenge."""

    challenge: Challenge
    vault_id: str | None
    descriptor: str | None
    """Multipath with its checksum: full disclosure. None: the addresses alone."""
    addresses: tuple[ClaimedAddress, ...]
    coins: tuple[ClaimedCoin, ...]
    total: Sats
    proofs: tuple[Proof, ...]

    @property
    def not_proven(self) -> tuple[str, ...]:
        """What this statement can't prove, in words; follows from what it discloses and how it proves."""
        return not_proven(
            disclosed=self.descriptor is not None,
            by_payment=any(proof.kind is ProofKind.PAYMENT for proof in self.proofs),
        )

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the canonical document."""
        return digest(self.to_document())

    def to_document(self) -> dict[str, JsonValue]:
        """Return the document."""
        return {
            "format": RESERVES_FORMAT,
            "challenge": self.challenge.to_document(),
            "vault_id": self.vault_id,
            "descriptor": self.descriptor,
            "addresses": [one.to_document() for one in self.addresses],
            "coins": [one.to_document() for one in self.coins],
            "total_sats": self.total,
            "proofs": [one.to_document() for one in self.proofs],
            "not_proven": list(self.not_proven),
        }

    def to_bytes(self) -> bytes:
        """Return the file: the canonical document and a line feed."""
        return canonical(self.to_document()) + b"\n"


def not_proven(*, disclosed: bool, by_payment: bool) -> tuple[str, ...]:
    """Return what is not proven, in words, for a disclosed descriptor or not, by a payment or not."""
    return (
        *NOT_PROVEN,
        *(() if disclosed else (NOT_PROVEN_WITHOUT_DESCRIPTOR,)),
        *((NOT_PROVEN_BY_PAYMENT,) if by_payment else ()),
    )


def parse_statement(data: bytes) -> Statement:
    """Read a statement's file: one line of canonical JSON and a line feed, nothing else.

    Raises:
        InvalidInput: MALFORMED_DOCUMENT, UNKNOWN_FIELD, UNKNOWN_FORMAT, FILE_TOO_LARGE.
        UpgradeNeeded: another version of the format.
    """
    if not data.endswith(b"\n"):
        raise malformed("the statement does not end with a line feed")
    document = parse_canonical(data[:-1], max_bytes=MAX_BYTES)
    advice = "Give the statement as its holder sent it."
    require_format(document, RESERVES_FORMAT, "the statement", advice=advice)
    fields = fields_of(document, "the statement", _KEYS)
    statement = Statement(
        challenge=challenge_of(fields["challenge"]),
        vault_id=optional_of(hash_of, fields["vault_id"], "vault_id"),
        descriptor=optional_of(_descriptor, fields["descriptor"], "descriptor"),
        addresses=list_of(_address, _few(fields["addresses"], "addresses"), "addresses"),
        coins=list_of(_coin, _few(fields["coins"], "coins"), "coins"),
        total=sats_of(fields["total_sats"], "total_sats"),
        proofs=list_of(_proof, _few(fields["proofs"], "proofs"), "proofs"),
    )
    if sum(1 for one in statement.proofs if one.kind is ProofKind.PAYMENT) > MAX_PAYMENTS:
        raise malformed(f"proofs has more than {MAX_PAYMENTS} payments")
    if list_of(text_of, fields["not_proven"], "not_proven") != statement.not_proven:
        raise malformed("not_proven is not what the format says for such a statement")
    return statement


def _few(value: JsonValue, what: str) -> JsonValue:
    if isinstance(value, list) and len(value) > MAX_ITEMS:
        raise InvalidInput(
            Code.MALFORMED_DOCUMENT,
            f"{what} has {len(value)} items, more than {MAX_ITEMS}",
            advice="Ask the holder for several statements.",
        )
    return value


def _address(value: JsonValue, what: str) -> ClaimedAddress:
    fields = fields_of(value, what, ("address", "branch", "index"))
    branch = optional_of(text_of, fields["branch"], f"{what}.branch")
    index = optional_of(integer_of, fields["index"], f"{what}.index")
    if branch not in (None, "receive", "change") or (branch is None) != (index is None):
        raise malformed(f"{what} names no place in a vault")
    return ClaimedAddress(_short(fields["address"], f"{what}.address", MAX_ADDRESS), branch, index)


def _coin(value: JsonValue, what: str) -> ClaimedCoin:
    fields = fields_of(value, what, ("outpoint", "value_sats", "address"))
    return ClaimedCoin(
        outpoint=outpoint_of(fields["outpoint"], f"{what}.outpoint"),
        value=sats_of(fields["value_sats"], f"{what}.value_sats"),
        address=_short(fields["address"], f"{what}.address", MAX_ADDRESS),
    )


def _proof(value: JsonValue, what: str) -> Proof:
    fields = fields_of(value, what, ("kind", "addresses", "text"))
    kind = text_of(fields["kind"], f"{what}.kind")
    if kind not in {str(one) for one in ProofKind}:
        raise malformed(f"{what}.kind is no kind of proof that this version knows")
    addresses = list_of(
        lambda one, where: _short(one, where, MAX_ADDRESS),
        _few(fields["addresses"], f"{what}.addresses"),
        f"{what}.addresses",
    )
    if not addresses:
        raise malformed(f"{what} is for no address")
    return Proof(ProofKind(kind), addresses, _short(fields["text"], f"{what}.text", MAX_PROOF))


def _descriptor(value: JsonValue, what: str) -> str:
    return _short(value, what, MAX_DESCRIPTOR)


def _short(value: JsonValue, what: str, longest: int) -> str:
    text = text_of(value, what)
    if not 0 < len(text) <= longest or not text.isascii() or not text.isprintable():
        raise malformed(f"{what} is not 1 to {longest} printable ASCII characters")
    return text
