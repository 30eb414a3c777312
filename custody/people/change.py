"""A change of governance on its way: who may do what is changed by documents that officers sign.

The document (`custody-change/1`) is hashed as RFC 8785; that hash is `change_id`. It carries its
number and the digest of the statement before it, so that changes form a chain in which a gap
shows. What it changes stands in its payload, one shape for each kind. A policy is carried whole
and is opaque here: the policy room reads it.
"""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum

from custody.bitcoin.network import Network
from custody.bitcoin.transaction import OutPoint
from custody.documents.canonical_json import canonical, digest
from custody.documents.format_tag import require_format
from custody.documents.names import check_name
from custody.errors import JsonValue
from custody.people.allowlist import AllowEntry
from custody.people.officer import Officer
from custody.people.statement import GovernanceRef, Statement, StatementKind, change_statement, quoted
from custody.spend.document import (
    fields_of,
    hash_of,
    integer_of,
    list_of,
    malformed,
    optional_of,
    outpoint_of,
    text_of,
)

CHANGE_FORMAT = "custody-change/1"


class ChangeKind(StrEnum):
    """What is changed."""

    FOUND = "found"
    ENROL = "enrol"
    REVOKE = "revoke"
    ADOPT = "adopt"
    ALLOW = "allow"
    DISALLOW = "disallow"
    UNFREEZE = "unfreeze"
    SUSPEND = "suspend"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Payload:
    """What a change brings: the fields of its kind are set, the others empty."""

    officers: tuple[Officer, ...] = ()
    """found: all of them; enrol: the one."""
    policy: JsonValue = None
    """found, adopt: the policy document."""
    name: str | None = None
    """revoke: the officer; disallow: the entry."""
    entry: AllowEntry | None = None
    """allow."""
    outpoints: tuple[OutPoint, ...] = ()
    """unfreeze."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change as proposed. Whether it is in force is the journal's fold to say."""

    vault_id: str
    network: Network
    kind: ChangeKind
    number: int
    """Its place in the chain of governance statements; the founding is 0."""
    predecessor: str | None
    """Digest of the statement before it; None for the founding."""
    payload: Payload
    reason: str | None
    proposed_by: str | None
    """Who says that they proposed it: a claim."""
    nonce: str
    _id: str | None = field(default=None, init=False, repr=False, compare=False)
    _policy: bytes | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if (self.kind is ChangeKind.FOUND) is not (self.number == 0 and self.predecessor is None):
            raise malformed("a founding has number 0 and no predecessor; every other change has both")
        if self.kind is not ChangeKind.FOUND and (self.number < 1 or self.predecessor is None):
            raise malformed("a change lacks its number or its predecessor")

    @property
    def change_id(self) -> str:
        """SHA-256 (hex) of the canonical document."""
        # Computed once: it follows from fields that never change.
        if self._id is None:
            object.__setattr__(self, "_id", digest(self.to_document()))
        return self._id or ""

    @property
    def policy_bytes(self) -> bytes:
        """The canonical form of the policy that it brings; `null` where it brings none."""
        # Computed once, as `change_id`: every signature under it is over the policy's digest.
        if self._policy is None:
            object.__setattr__(self, "_policy", canonical(self.payload.policy))
        return self._policy or b""

    def statement(self, vault_name: str) -> Statement:
        """Return what officers sign to bring the change about."""
        return change_statement(
            StatementKind(str(self.kind)),
            vault=(vault_name, self.vault_id, str(self.network)),
            change_id=self.change_id,
            number=self.number,
            predecessor=self.predecessor,
            facts=[*self.facts(), ("reason", quoted(self.reason))],
            nonce=self.nonce,
        )

    def rejection(self, vault_name: str) -> Statement:
        """Return what an officer signs to refuse the change."""
        return change_statement(
            StatementKind.REJECT,
            vault=(vault_name, self.vault_id, str(self.network)),
            change_id=self.change_id,
            number=self.number,
            predecessor=self.predecessor,
            facts=[("refuses", str(self.kind)), *self.facts()],
            nonce=self.nonce,
        )

    def reference(self, vault_name: str) -> GovernanceRef:
        """Return how later statements name this one, once it is part of the chain."""
        return GovernanceRef(self.number, self.statement(vault_name).digest)

    def veto(self, vault_name: str, after: GovernanceRef) -> GovernanceRef:
        """Return how later statements name the veto that ended this change once `after` was the newest.

        What was signed can't name `after`, which moves on while a refusal is on its way; the link does, so that
        later digests bind everything before the veto too.
        """
        number, refusal = after.number + 1, self.rejection(vault_name).digest
        link = f"custody-veto/1\nnumber: {number}\nafter: {after.digest}\nrefusal: {refusal}\n"
        return GovernanceRef(number, hashlib.sha256(link.encode("ascii")).hexdigest())

    def facts(self) -> list[tuple[str, str]]:
        """Return what it does, in lines for people; every value is printable ASCII."""
        payload = self.payload
        facts = [("officer", _officer_words(one)) for one in payload.officers]
        if payload.policy is not None:
            facts.append(("policy", _policy_words(payload.policy, hashlib.sha256(self.policy_bytes).hexdigest())))
        if payload.name is not None:
            facts.append(("removes", payload.name))
        if payload.entry is not None:
            entry = payload.entry
            facts += [
                ("destination", entry.name),
                ("address", entry.address or "none"),
                ("descriptor", entry.descriptor or "none"),
                ("note", quoted(entry.note)),
            ]
        facts += [("coin", str(outpoint)) for outpoint in payload.outpoints]
        return facts

    def to_document(self) -> dict[str, JsonValue]:
        """Return the document that `change_id` is the hash of."""
        return {
            "format": CHANGE_FORMAT,
            "vault_id": self.vault_id,
            "network": str(self.network),
            "kind": str(self.kind),
            "number": self.number,
            "predecessor": self.predecessor,
            "payload": _payload_document(self.kind, self.payload),
            "reason": self.reason,
            "proposed_by": self.proposed_by,
            "nonce": self.nonce,
        }

    @classmethod
    def from_document(cls, document: JsonValue) -> "Change":
        """Read a change, strictly.

        Raises:
            InvalidInput: UNKNOWN_FORMAT, UNKNOWN_FIELD, MALFORMED_DOCUMENT, and what officers and
                allowlist entries are refused for.
        """
        require_format(document, CHANGE_FORMAT, "the change", advice="Give a change document.")
        found = fields_of(document, "a change", _KEYS)
        kind = text_of(found["kind"], "kind")
        network = text_of(found["network"], "network")
        if kind not in set(ChangeKind) or network not in set(Network):
            raise malformed("a change is of an unknown kind or network")
        return cls(
            vault_id=hash_of(found["vault_id"], "vault_id"),
            network=Network(network),
            kind=ChangeKind(kind),
            number=integer_of(found["number"], "number"),
            predecessor=optional_of(hash_of, found["predecessor"], "predecessor"),
            payload=_payload_of(ChangeKind(kind), found["payload"]),
            reason=optional_of(text_of, found["reason"], "reason"),
            proposed_by=optional_of(_name_of, found["proposed_by"], "proposed_by"),
            nonce=_nonce_of(found["nonce"]),
        )


_KEYS = ("format", "vault_id", "network", "kind", "number", "predecessor", "payload", "reason", "proposed_by", "nonce")


def policy_words(policy: JsonValue) -> str:
    """Return name, version and digest of a policy document, for a statement's line."""
    return _policy_words(policy, digest(policy))


def _policy_words(policy: JsonValue, policy_digest: str) -> str:
    name, version = _named_policy(policy)
    return f"{name}, version {version}, digest {policy_digest}"


def _named_policy(policy: JsonValue) -> tuple[str, int]:
    if not isinstance(policy, dict):
        raise malformed("a policy is not a document")
    name, version = text_of(policy.get("name"), "policy.name"), integer_of(policy.get("version"), "policy.version")
    return check_name(name), version


def _officer_words(officer: Officer) -> str:
    roles = ", ".join(sorted(officer.roles))
    return f"{officer.name} ({roles}) {officer.key.key_type} {officer.key.fingerprint}"


def _payload_document(kind: ChangeKind, payload: Payload) -> dict[str, JsonValue]:
    officers: list[JsonValue] = [one.to_document() for one in payload.officers]
    match kind:
        case ChangeKind.FOUND:
            return {"officers": officers, "policy": payload.policy}
        case ChangeKind.ENROL:
            return {"officer": officers[0]}
        case ChangeKind.ADOPT:
            return {"policy": payload.policy}
        case ChangeKind.REVOKE | ChangeKind.DISALLOW:
            return {"name": payload.name}
        case ChangeKind.ALLOW:
            return {"entry": None if payload.entry is None else payload.entry.to_document()}
        case ChangeKind.UNFREEZE:
            return {"outpoints": [str(one) for one in payload.outpoints]}
        case ChangeKind.SUSPEND | ChangeKind.RESUME:
            return {}


def _payload_of(kind: ChangeKind, value: JsonValue) -> Payload:
    match kind:
        case ChangeKind.FOUND:
            found = fields_of(value, "payload", ("officers", "policy"))
            officers = list_of(Officer.from_document, found["officers"], "officers")
            _named_policy(found["policy"])
            return Payload(officers=officers, policy=found["policy"])
        case ChangeKind.ENROL:
            found = fields_of(value, "payload", ("officer",))
            return Payload(officers=(Officer.from_document(found["officer"]),))
        case ChangeKind.ADOPT:
            found = fields_of(value, "payload", ("policy",))
            _named_policy(found["policy"])
            return Payload(policy=found["policy"])
        case ChangeKind.REVOKE | ChangeKind.DISALLOW:
            return Payload(name=_name_of(fields_of(value, "payload", ("name",))["name"], "payload.name"))
        case ChangeKind.ALLOW:
            return Payload(entry=AllowEntry.from_document(fields_of(value, "payload", ("entry",))["entry"]))
        case ChangeKind.UNFREEZE:
            found = fields_of(value, "payload", ("outpoints",))
            return Payload(outpoints=list_of(outpoint_of, found["outpoints"], "outpoints"))
        case ChangeKind.SUSPEND | ChangeKind.RESUME:
            fields_of(value, "payload", ())
            return Payload()


def _name_of(value: JsonValue, what: str) -> str:
    return check_name(text_of(value, what))


def _nonce_of(value: JsonValue) -> str:
    nonce = text_of(value, "nonce")
    if len(nonce) != 32 or not set(nonce) <= set("0123456789abcdef"):
        raise malformed("a change's nonce is not 32 lower-case hex characters")
    return nonce
