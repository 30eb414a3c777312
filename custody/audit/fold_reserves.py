"""Fold the entries of statements of reserves that were handed out. They are a record, and grant nothing."""

from custody.audit.journal import Entry
from custody.audit.reserves.challenge import network_of
from custody.audit.state import AttestedReserve
from custody.audit.state_builder import StateBuilder
from custody.errors import JsonValue
from custody.spend.document import fields_of, hash_of, integer_of, list_of, malformed, sats_of, text_of

ATTESTED = "reserve_attested"

_KEYS = (
    "statement",
    "challenge",
    "network",
    "holder",
    "purpose",
    "height",
    "block_hash",
    "total_sats",
    "kinds",
    "disclosed",
    "signers",
)
DISCLOSURES = ("descriptor", "addresses")


def apply_attested(state: StateBuilder, entry: Entry) -> None:
    """Apply a `reserve_attested` entry.

    Raises:
        InvalidInput: a body of a wrong shape.
    """
    body = fields_of(entry.body, "the body", _KEYS)
    disclosed = text_of(body["disclosed"], "disclosed")
    if disclosed not in DISCLOSURES or network_of(body["network"], "network") is not state.network:
        raise malformed("a statement of reserves discloses nothing known, or is for another network")
    state.attested.append(
        AttestedReserve(
            statement=hash_of(body["statement"], "statement"),
            challenge=hash_of(body["challenge"], "challenge"),
            holder=text_of(body["holder"], "holder"),
            purpose=text_of(body["purpose"], "purpose"),
            height=integer_of(body["height"], "height"),
            block_hash=hash_of(body["block_hash"], "block_hash"),
            total=sats_of(body["total_sats"], "total_sats"),
            kinds=list_of(text_of, body["kinds"], "kinds"),
            disclosed=disclosed,
            signers=_names(body["signers"], state),
            seq=entry.seq,
        )
    )


def _names(value: JsonValue, state: StateBuilder) -> tuple[str, ...]:
    names = list_of(text_of, value, "signers")
    if not set(names) <= state.cosigner_names:
        raise malformed("signers names somebody who is no cosigner of the vault")
    return names
