"""An auditor's challenge to whoever holds a reserve: `custody-challenge/1`.

The auditor writes it with their own node: who holds what for which purpose, a nonce that nobody
can have known before, and a block. What is signed is not the document but its `message`: fixed
lines of printable ASCII that a person reads on a device's screen, never more than the devices that
show a message take. It has no line feed at its end, so that a shell or a text field that drops
one changes nothing. A proof for another
challenge has another message: it can't be used again (A81).

Nothing here asks a node; whether the block is deep, active and recent is judged by `challenge_age`.
"""

import hashlib
import re
from dataclasses import dataclass

from custody.bitcoin.network import Network
from custody.codes import Code
from custody.documents.canonical_json import canonical, parse_canonical
from custody.documents.format_tag import require_format
from custody.errors import CheckFailed, Finding, InvalidInput, JsonValue, Severity
from custody.spend.document import fields_of, hash_of, integer_of, malformed, text_of
from custody.spend.proof_model import device_problem

CHALLENGE_FORMAT = "custody-challenge/1"
MAX_BYTES = 4_096
MAX_HOLDER = 60
MAX_PURPOSE = 60
"""Each; together they have what devices that show messages leave: the message's whole length is judged besides."""
MAX_EXPIRES_AFTER = 52_560
"""Blocks, one year: a challenge that never ends is an invitation to sign it when it suits."""
MAX_HEIGHT = 499_999_999
MAX_AGE = 144
"""Blocks between the challenge's block and the newest one: above, HEIGHT_STALE unless somebody allows more."""

_KEYS = ("format", "network", "holder", "purpose", "nonce", "height", "block_hash", "expires_height")
_LINE = re.compile(r"[!-~]+(?: [!-~]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What an auditor asks a holder to prove, for one block."""

    network: Network
    holder: str
    """Who is to prove it: printable ASCII, one line."""
    purpose: str
    """For which audit: printable ASCII, one line."""
    nonce: str
    """32 fresh random bytes of the auditor, hex."""
    height: int
    block_hash: str
    """As displayed, from the auditor's own node."""
    expires_height: int
    """The last block at which a proof is taken without a word of the auditor."""

    def __post_init__(self) -> None:
        _require_line(self.holder, "holder", MAX_HOLDER)
        _require_line(self.purpose, "purpose", MAX_PURPOSE)
        hash_of(self.nonce, "nonce")
        hash_of(self.block_hash, "block_hash")
        if not 0 <= self.height <= MAX_HEIGHT:
            raise malformed("height is not the height of a block")
        if not self.height < self.expires_height <= self.height + MAX_EXPIRES_AFTER:
            raise malformed(f"expires_height is not within {MAX_EXPIRES_AFTER} blocks after height")
        problem = device_problem(self.message)
        if problem is not None:
            raise InvalidInput(
                Code.MALFORMED_DOCUMENT,
                f"holder and purpose make a message that no device would show: {problem}",
                advice="Write holder and purpose shorter: together they have about 80 characters.",
            )

    @property
    def message(self) -> bytes:
        """The bytes that are signed, ASCII, lines parted by a line feed, none at the end."""
        lines = (
            "Proof of reserves v1. It spends nothing.",
            f"network: {self.network}",
            f"holder: {self.holder}",
            f"purpose: {self.purpose}",
            f"block: {self.height} {self.block_hash}",
            f"nonce: {self.nonce}",
            f"expires: {self.expires_height}",
        )
        return "\n".join(lines).encode("ascii")

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the canonical document."""
        return hashlib.sha256(canonical(self.to_document())).hexdigest()

    def to_document(self) -> dict[str, JsonValue]:
        """Return the document."""
        return {
            "format": CHALLENGE_FORMAT,
            "network": str(self.network),
            "holder": self.holder,
            "purpose": self.purpose,
            "nonce": self.nonce,
            "height": self.height,
            "block_hash": self.block_hash,
            "expires_height": self.expires_height,
        }

    def to_bytes(self) -> bytes:
        """Return the file: the canonical document and a line feed."""
        return canonical(self.to_document()) + b"\n"


def parse_challenge(data: bytes) -> Challenge:
    """Read a challenge's file: one line of canonical JSON and a line feed, nothing else.

    Raises:
        InvalidInput: MALFORMED_DOCUMENT, UNKNOWN_FIELD, UNKNOWN_FORMAT, FILE_TOO_LARGE.
        UpgradeNeeded: another version of the format.
    """
    return challenge_of(parse_canonical(_without_line_feed(data), max_bytes=MAX_BYTES))


def challenge_of(document: JsonValue) -> Challenge:
    """Return the challenge that a parsed document is. Raises as `parse_challenge`."""
    advice = "Give the challenge as the auditor sent it."
    require_format(document, CHALLENGE_FORMAT, "the challenge", advice=advice)
    fields = fields_of(document, "the challenge", _KEYS)
    return Challenge(
        network=network_of(fields["network"], "network"),
        holder=text_of(fields["holder"], "holder"),
        purpose=text_of(fields["purpose"], "purpose"),
        nonce=hash_of(fields["nonce"], "nonce"),
        height=integer_of(fields["height"], "height"),
        block_hash=hash_of(fields["block_hash"], "block_hash"),
        expires_height=integer_of(fields["expires_height"], "expires_height"),
    )


def network_of(value: JsonValue, what: str) -> Network:
    """Return a network by its name in documents."""
    text = text_of(value, what)
    if text not in {str(network) for network in Network}:
        raise malformed(f"{what} is no network that this version knows")
    return Network(text)


def required_depth(network: Network) -> int:
    """Return how many confirmations a challenge's block must have: no reorganization may take the balance away.

    100 on `main`, as a coinbase needs; 6 elsewhere, so that rehearsals stay quick.
    """
    return 100 if network.is_main else 6


@dataclass(frozen=True, slots=True)
class SeenBlock:
    """What somebody's own node says about a challenge's block."""

    tip_height: int
    hash_at_height: str | None
    """Of the active chain at the challenge's height; None where the chain does not reach it."""


def challenge_age(challenge: Challenge, seen: SeenBlock, *, max_age: int | None) -> tuple[Finding, ...]:
    """Say what speaks against the challenge's block (A83). `max_age` in blocks is what somebody allowed, None nothing.

    Each finding refuses: BLOCK_ORPHANED, BLOCK_TOO_SHALLOW, HEIGHT_STALE.
    """
    findings: list[Finding] = []
    if seen.hash_at_height != challenge.block_hash:
        found = "no block" if seen.hash_at_height is None else f"`{seen.hash_at_height}`"
        message = f"block {challenge.height} of the challenge is `{challenge.block_hash}`; the active chain has {found}"
        advice = "Ask the auditor for a new challenge, and find out which chain each node follows."
        findings.append(_refusal(Code.BLOCK_ORPHANED, message, advice))
    age = seen.tip_height - challenge.height
    needed = required_depth(challenge.network)
    if age + 1 < needed:
        message = f"block {challenge.height} has {max(age + 1, 0)} confirmations, expected {needed} or more"
        advice = "Wait for more blocks, or ask for a challenge with an older block."
        findings.append(_refusal(Code.BLOCK_TOO_SHALLOW, message, advice))
    limit = MAX_AGE if max_age is None else max_age
    expired = max_age is None and seen.tip_height > challenge.expires_height
    if age > limit or expired:
        reason = f"expired after block {challenge.expires_height}" if expired else f"more than {limit} blocks"
        message = f"block {challenge.height} lies {age} blocks before the newest one, {seen.tip_height}: {reason}"
        advice = "Ask for a new challenge; --max-age allows an older one where you know why it is old."
        findings.append(_refusal(Code.HEIGHT_STALE, message, advice))
    return tuple(findings)


def require_timely(challenge: Challenge, seen: SeenBlock, *, max_age: int | None) -> None:
    """Refuse a challenge whose block is orphaned, too shallow or stale.

    Raises:
        CheckFailed: with the first of the codes of `challenge_age`.
    """
    for finding in challenge_age(challenge, seen, max_age=max_age):
        raise CheckFailed(finding.code, finding.message, advice=finding.advice)


def _refusal(code: Code, message: str, advice: str) -> Finding:
    return Finding(code, Severity.REFUSE, "challenge", message, advice)


def _require_line(text: str, what: str, longest: int) -> None:
    if len(text) > longest or _LINE.fullmatch(text) is None:
        raise InvalidInput(
            Code.MALFORMED_DOCUMENT,
            f"{what} is not 1 to {longest} printable ASCII characters, without spaces at an end or two in a row",
            advice="Write it without accents and in one line: signers read it on small screens.",
        )


def _without_line_feed(data: bytes) -> bytes:
    if not data.endswith(b"\n"):
        raise malformed("the challenge does not end with a line feed")
    return data[:-1]
