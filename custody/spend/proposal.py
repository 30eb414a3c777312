"""The proposal: what is to be paid, by which coins, at what fee, until when, and why.

The document (`custody-proposal/1`) is hashed as RFC 8785, and that hash is `proposal_id`:
what people approve and what the journal reserves coins for. Absent values stand as null.
PSBT metadata is left out, so that a PSBT may be completed without a new proposal. A
document that states a fact twice must agree with itself. Names, ownership and signatures
are judged elsewhere.
"""

import re
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TypeVar

from custody.bitcoin.address import script_of
from custody.bitcoin.amount import FeeRate, Sats, sum_sats
from custody.bitcoin.descriptor import Branch
from custody.bitcoin.network import Network
from custody.bitcoin.transaction import OutPoint, Transaction
from custody.documents.canonical_json import digest
from custody.documents.format_tag import require_format
from custody.errors import JsonValue
from custody.spend.document import (
    fields_of,
    hash_of,
    hex_of,
    integer_of,
    list_of,
    malformed,
    optional_of,
    outpoint_of,
    sats_of,
    text_of,
)
from custody.spend.expiry import parse_time

PROPOSAL_FORMAT = "custody-proposal/1"

_NONCE = re.compile(r"[0-9a-f]{32}", re.ASCII)


class ProposalKind(StrEnum):
    """What a proposal is for; a policy may ask different people for each."""

    PAYMENT = "payment"
    INTERNAL = "internal"
    BUMP = "bump"
    CANCEL = "cancel"
    EMERGENCY = "emergency"


@dataclass(frozen=True, slots=True)
class Destination:
    """An output that somebody asked for, in the order in which they asked."""

    address: str
    value: Sats

    def to_document(self) -> dict[str, JsonValue]:
        """Return the destination as it stands in a proposal."""
        return {"address": self.address, "value_sats": self.value}


@dataclass(frozen=True, slots=True)
class ChangeOutput:
    """An output that comes back to the vault without anybody asking for it."""

    branch: int
    index: int
    address: str
    value: Sats

    def to_document(self) -> dict[str, JsonValue]:
        """Return the change output as it stands in a proposal."""
        return {
            "branch": Branch(self.branch).label,
            "index": self.index,
            "address": self.address,
            "value_sats": self.value,
        }


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal whose parts agree with its unsigned transaction."""

    vault_id: str
    network: Network
    nonce: str
    """32 lower-case hex characters; two proposals that say the same differ in it."""
    kind: ProposalKind
    destinations: tuple[Destination, ...]
    inputs: tuple[OutPoint, ...]
    fee: Sats
    fee_rate: FeeRate
    """What was asked for; the fee paid is at least that over the largest possible size."""
    unsigned_transaction: Transaction
    change: tuple[ChangeOutput, ...]
    reason: str | None
    expires: str
    """RFC 3339; judged by the tip's median time past."""
    policy_digest: str | None = None
    policy_path: str | None = None
    drafter: str | None = None
    replaces: str | None = None
    """proposal_id of the proposal whose coins this one takes over."""
    replaces_txid: str | None = None
    _id: str | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if _NONCE.fullmatch(self.nonce) is None:
            raise malformed("a proposal's nonce is not 32 lower-case hex characters")
        parse_time(self.expires)
        transaction = self.unsigned_transaction
        if any(tx_input.script_sig or tx_input.witness for tx_input in transaction.inputs):
            raise malformed("a proposal's transaction is signed")
        if tuple(tx_input.outpoint for tx_input in transaction.inputs) != self.inputs:
            raise malformed("a proposal's inputs are not those of its transaction")
        if len(set(self.inputs)) != len(self.inputs) or not self.inputs:
            raise malformed("a proposal has no inputs or one twice")
        listed = [(one.value, script_of(one.address, self.network)) for one in self.destinations]
        listed += [(one.value, script_of(one.address, self.network)) for one in self.change]
        if sorted(listed) != sorted((output.value, output.script_pubkey) for output in transaction.outputs):
            raise malformed("a proposal's destinations and change are not the outputs of its transaction")

    @property
    def proposal_id(self) -> str:
        """SHA-256 (hex) of the canonical document."""
        # Computed once: it follows from fields that never change.
        if self._id is None:
            object.__setattr__(self, "_id", digest(self.to_document()))
        return self._id or ""

    @property
    def unsigned_txid(self) -> str:
        """Txid of the unsigned transaction, as displayed."""
        return self.unsigned_transaction.txid

    @property
    def external_total(self) -> Sats:
        """Sum of the destinations."""
        return sum_sats(one.value for one in self.destinations)

    def to_document(self) -> dict[str, JsonValue]:
        """Return the document that `proposal_id` is the hash of."""
        return {
            "format": PROPOSAL_FORMAT,
            "vault_id": self.vault_id,
            "network": str(self.network),
            "nonce": self.nonce,
            "kind": str(self.kind),
            "destinations": [one.to_document() for one in self.destinations],
            "inputs": [str(outpoint) for outpoint in self.inputs],
            "fee_sats": self.fee,
            "fee_rate_sat_kvb": self.fee_rate.sat_kvb,
            "unsigned_transaction": self.unsigned_transaction.serialize_without_witness().hex(),
            "unsigned_txid": self.unsigned_txid,
            "change": [one.to_document() for one in self.change],
            "reason": self.reason,
            "expires": self.expires,
            "policy_digest": self.policy_digest,
            "policy_path": self.policy_path,
            "drafter": self.drafter,
            "replaces": self.replaces,
            "replaces_txid": self.replaces_txid,
        }

    @classmethod
    def from_document(cls, document: JsonValue) -> "Proposal":
        """Read a proposal document, strictly.

        Raises:
            InvalidInput: UNKNOWN_FORMAT, UNKNOWN_FIELD, MALFORMED_DOCUMENT, and what addresses and
                transactions are refused for.
        """
        require_format(document, PROPOSAL_FORMAT, "the proposal", advice="Give a proposal document.")
        found = fields_of(document, "a proposal", _KEYS)
        transaction = Transaction.parse_without_witness(hex_of(found["unsigned_transaction"], "unsigned_transaction"))
        if transaction.txid != found["unsigned_txid"]:
            raise malformed("a proposal's unsigned_txid is not that of its transaction")
        return cls(
            vault_id=hash_of(found["vault_id"], "vault_id"),
            network=_member_of(Network, found["network"], "network"),
            nonce=text_of(found["nonce"], "nonce"),
            kind=_member_of(ProposalKind, found["kind"], "kind"),
            destinations=list_of(_destination_of, found["destinations"], "destinations"),
            inputs=list_of(outpoint_of, found["inputs"], "inputs"),
            fee=sats_of(found["fee_sats"], "fee_sats"),
            fee_rate=FeeRate(integer_of(found["fee_rate_sat_kvb"], "fee_rate_sat_kvb")),
            unsigned_transaction=transaction,
            change=list_of(_change_of, found["change"], "change"),
            reason=optional_of(text_of, found["reason"], "reason"),
            expires=text_of(found["expires"], "expires"),
            policy_digest=optional_of(hash_of, found["policy_digest"], "policy_digest"),
            policy_path=optional_of(text_of, found["policy_path"], "policy_path"),
            drafter=optional_of(text_of, found["drafter"], "drafter"),
            replaces=optional_of(hash_of, found["replaces"], "replaces"),
            replaces_txid=optional_of(hash_of, found["replaces_txid"], "replaces_txid"),
        )


_KEYS = frozenset(one.name for one in fields(Proposal)) - {"fee", "fee_rate", "_id"} | {
    "format",
    "fee_sats",
    "fee_rate_sat_kvb",
    "unsigned_txid",
}

_Member = TypeVar("_Member", bound=StrEnum)


def _member_of(kind: type[_Member], value: JsonValue, what: str) -> _Member:
    text = text_of(value, what)
    if text not in {str(member) for member in kind}:
        raise malformed(f"{what} is none of {', '.join(kind)}")
    return kind(text)


def _destination_of(value: JsonValue, what: str) -> Destination:
    found = fields_of(value, what, ("address", "value_sats"))
    return Destination(text_of(found["address"], f"{what}.address"), sats_of(found["value_sats"], f"{what}.value_sats"))


def _change_of(value: JsonValue, what: str) -> ChangeOutput:
    found = fields_of(value, what, ("branch", "index", "address", "value_sats"))
    return ChangeOutput(
        branch=int(Branch.from_label(text_of(found["branch"], f"{what}.branch"))),
        index=integer_of(found["index"], f"{what}.index"),
        address=text_of(found["address"], f"{what}.address"),
        value=sats_of(found["value_sats"], f"{what}.value_sats"),
    )
