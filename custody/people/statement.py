"""Statements: short plain texts that a person reads, compares with a printout, and signs.

Printable ASCII, one fact a line, line feeds, the lines of a kind always the same and in one
order. The first line is the kind; it is the SSHSIG namespace too, so that a signature for one
kind can't stand for another. Free text (a reason, a label) is written as a JSON string in
ASCII, so that it can neither open a line nor hide in one.

A statement is never parsed: whoever checks one builds it again from what they derived, and
compares bytes by verifying the signature over them.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from custody.bitcoin.amount import format_btc
from custody.spend.document import malformed
from custody.spend.proposal import Proposal

NONE = "none"


class StatementKind(StrEnum):
    """What a signature says (design, section 7)."""

    PROPOSE = "propose"
    APPROVE = "approve"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    FOUND = "found"
    ENROL = "enrol"
    REVOKE = "revoke"
    ADOPT = "adopt"
    ALLOW = "allow"
    DISALLOW = "disallow"
    UNFREEZE = "unfreeze"
    SUSPEND = "suspend"
    RESUME = "resume"
    ATTEST = "attest"
    RECEIVE = "receive"
    CHECKPOINT = "checkpoint"

    @property
    def namespace(self) -> str:
        """SSHSIG namespace and first line of the statement."""
        return f"custody-{self}/1"


@dataclass(frozen=True, slots=True)
class GovernanceRef:
    """The newest governance statement that somebody knew: a later one can't be hidden from who reads on."""

    number: int
    """0 is the founding."""
    digest: str
    """SHA-256 (hex) of that statement's text."""

    def words(self) -> str:
        """Return it as it stands in a statement."""
        return f"{self.number} {self.digest}"


@dataclass(frozen=True, slots=True)
class Statement:
    """A text to be signed."""

    kind: StatementKind
    lines: tuple[tuple[str, str], ...]
    """Label and value."""

    def __post_init__(self) -> None:
        for label, value in self.lines:
            if not _is_line(label) or not _is_line(value):
                raise malformed(f"line `{label[:40]}` of a statement is not printable ASCII")

    @property
    def text(self) -> str:
        """The whole text: what is shown, printed and signed."""
        return "".join([f"{self.kind.namespace}\n", *(f"{label}: {value}\n" for label, value in self.lines)])

    @property
    def signed_bytes(self) -> bytes:
        """The bytes that the signature is over."""
        return self.text.encode("ascii")

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the bytes."""
        return hashlib.sha256(self.signed_bytes).hexdigest()


def quoted(text: str | None) -> str:
    """Return free text as a JSON string in ASCII, or `none`."""
    return NONE if text is None else json.dumps(text, ensure_ascii=True)


def money(value: int) -> str:
    """Return an amount in both units."""
    return f"{format_btc(value)} BTC ({value} sat)"


def proposal_statement(
    kind: StatementKind, proposal: Proposal, *, vault_name: str, governance: GovernanceRef
) -> Statement:
    """Return what a drafter (`propose`), an approver (`approve`) or whoever refuses signs about a proposal.

    Everything in it comes from the proposal's own document, which its id covers and whose parts agree
    with its unsigned transaction.
    """
    change_total = sum(one.value for one in proposal.change)
    input_total = proposal.external_total + change_total + proposal.fee
    lines: list[tuple[str, str]] = [
        ("vault", vault_name),
        ("vault id", proposal.vault_id),
        ("network", str(proposal.network)),
        ("proposal", proposal.proposal_id),
        ("kind of payment", str(proposal.kind)),
        ("emergency path", proposal.policy_path or NONE),
        ("unsigned txid", proposal.unsigned_txid),
        *(("pays", f"{money(one.value)} to {one.address}") for one in proposal.destinations),
        ("change total", money(change_total)),
        ("input total", money(input_total)),
        ("inputs", str(len(proposal.inputs))),
        ("fee", money(proposal.fee)),
        ("replaces txid", proposal.replaces_txid or NONE),
        ("reason", quoted(proposal.reason)),
        ("drafter", proposal.drafter or NONE),
        ("policy digest", proposal.policy_digest or NONE),
        ("governance", governance.words()),
        ("nonce", proposal.nonce),
        ("expires", proposal.expires),
    ]
    return Statement(kind, tuple(lines))


def attest_statement(*, vault_name: str, vault_id: str, network: str, first_address: str, cosigner: str) -> Statement:
    """Return what the custodian of a key signs: that they hold the whole descriptor, not their key alone."""
    return Statement(
        StatementKind.ATTEST,
        (
            ("vault", vault_name),
            ("vault id", vault_id),
            ("network", network),
            ("first address", first_address),
            ("cosigner", cosigner),
            ("I hold", "a copy of the whole descriptor of this vault with every cosigner's key and origin"),
        ),
    )


def checkpoint_statement(
    *, vault_id: str, network: str, journal_id: str, length: int, head: str, time: str, governance: str
) -> Statement:
    """Return what officers sign about the journal: how long it is and what its newest entry is."""
    return Statement(
        StatementKind.CHECKPOINT,
        (
            ("vault id", vault_id),
            ("network", network),
            ("journal", journal_id),
            ("entries", str(length)),
            ("head", head),
            ("time", time),
            ("governance", governance),
        ),
    )


def change_statement(
    kind: StatementKind,
    *,
    vault: tuple[str, str, str],
    change_id: str,
    number: int,
    predecessor: str | None,
    facts: Sequence[tuple[str, str]],
    nonce: str,
) -> Statement:
    """Return what officers sign about a change of governance; `vault` is name, vault_id and network."""
    name, vault_id, network = vault
    return Statement(
        kind,
        (
            ("vault", name),
            ("vault id", vault_id),
            ("network", network),
            ("change", change_id),
            ("number", str(number)),
            ("after", predecessor or NONE),
            *facts,
            ("nonce", nonce),
        ),
    )


def _is_line(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable()
