"""What stands on a reserve's public page: `custody-page/1`.

Every number and word of the page that is not fixed text comes from these facts, and every fact comes from
the statements, from the block as a node knows it, and from the checkpoints given. So a page can be made
again, byte for byte, by whoever has its files: a number that was changed in it shows.

Two kinds of page: with every address and its amount, or with commitments only (`publish_commitments`),
where the statements stay with the custodian and nobody can add up the total from the page alone.
Nothing here renders, reads a file or asks a node.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from custody.audit.journal_fields import is_id, is_time
from custody.audit.reserves.challenge import Challenge
from custody.audit.reserves.statement import EVERYTHING_NOT_PROVEN, NOT_PROVEN, ProofKind
from custody.bitcoin.amount import Sats, sum_sats
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.documents.names import check_name
from custody.errors import CheckFailed
from custody.spend.document import malformed

MAX_ADDRESSES = 20_000
MAX_FILES = 100
_GENERATOR = re.compile(r"custody [0-9][0-9A-Za-z.+-]{0,40}", re.ASCII)
BY_VAULT = "vault"
"""Beside the kinds of proof: an address of a disclosed vault that signed nothing itself, while its vault's keys signed
a payment."""


class Disclosure(StrEnum):
    """Whether a page shows every address, or only a salted hash of each."""

    ADDRESSES = "addresses"
    COMMITMENTS = "commitments"


@dataclass(frozen=True, slots=True)
class PageBlock:
    """The block for which the total is said."""

    height: int
    block_hash: str
    median_time: int
    """Unix seconds: the median time of the block (BIP 113), as the publisher's node knows it."""

    def __post_init__(self) -> None:
        if self.median_time >= 2**32:
            raise malformed("the median time is none that a block can have")


@dataclass(frozen=True, slots=True)
class PageAddress:
    """A funded address of the reserve."""

    address: str
    value: Sats
    coins: int
    proofs: tuple[str, ...]
    """Kinds of proof that name it, sorted, or `BY_VAULT` alone; empty where nothing does."""

    @property
    def is_signed_for(self) -> bool:
        """Whether a proof names the address itself."""
        return bool(self.proofs) and self.proofs != (BY_VAULT,)


@dataclass(frozen=True, slots=True)
class PageProof:
    """A proof in a statement, without its text."""

    statement: int
    """Which statement holds it, from 1."""
    kind: str
    addresses: int
    """How many addresses it speaks for."""

    def __post_init__(self) -> None:
        if self.kind not in set(ProofKind):
            raise malformed("a page names a kind of proof that this version doesn't know")


@dataclass(frozen=True, slots=True)
class PageStatement:
    """A statement behind the page."""

    name: str | None
    """Its file beside the page; None where it is not published."""
    digest: str
    """Its digest as the statement's format defines it."""


@dataclass(frozen=True, slots=True)
class PageCheckpoint:
    """A head of the journal that officers signed, as its file says it: a claim."""

    name: str
    """Its file beside the page."""
    network: str
    vault_id: str
    journal_id: str
    entries: int
    head: str
    time: str
    officers: tuple[str, ...]

    def __post_init__(self) -> None:
        # Shown on the page: nothing of it is free text, or a page could say anything and be found whole.
        if not is_id(self.journal_id) or not is_time(self.time):
            raise malformed("a checkpoint names no journal, or no time")
        for officer in self.officers:
            check_name(officer)


@dataclass(frozen=True, slots=True)
class PageFacts:
    """All that one page says."""

    generator: str
    """Which version of this program wrote the page."""
    network: Network
    holder: str
    purpose: str
    nonce: str
    expires_height: int
    message: str
    """What was signed, ASCII."""
    block: PageBlock
    total: Sats
    proved: Sats
    """What of the total lies on addresses for which a proof speaks."""
    addresses: tuple[PageAddress, ...]
    """Largest first; empty on a page of commitments."""
    commitments: tuple[str, ...]
    """Sorted, so that their order tells nothing; empty on a page of addresses."""
    proofs: tuple[PageProof, ...]
    statements: tuple[PageStatement, ...]
    checkpoints: tuple[PageCheckpoint, ...]
    not_proven: tuple[str, ...]
    """What nobody can read out of the page, each one sentence."""

    def __post_init__(self) -> None:
        if _GENERATOR.fullmatch(self.generator) is None:
            raise malformed("a page is said to be written by what is no version of this program")
        if self.challenge.message.decode("ascii") != self.message:
            raise malformed("what a page says was signed is not its challenge's message")
        if not set(NOT_PROVEN) <= set(self.not_proven) <= set(EVERYTHING_NOT_PROVEN):
            raise malformed("what a page says is not proven is not what the format says")
        if self.addresses and self.commitments:
            raise malformed("a page shows addresses or commitments, not both")
        if len(self.addresses) > MAX_ADDRESSES or len(self.commitments) > MAX_ADDRESSES:
            raise malformed(f"a page shows more than {MAX_ADDRESSES} addresses")
        if len(self.statements) + len(self.checkpoints) > MAX_FILES:
            raise malformed(f"a page holds more than {MAX_FILES} files")
        if self.addresses and sum_sats(one.value for one in self.addresses) != self.total:
            raise _contradiction("the amounts of a page do not add up to its total")
        if self.proved > self.total:
            raise _contradiction("a page says more proved than there is")
        if any(statement.name is None for statement in self.statements) != (self.disclosure is Disclosure.COMMITMENTS):
            raise malformed("a page publishes its statements exactly where it shows addresses")

    @property
    def challenge(self) -> Challenge:
        """The challenge that was answered.

        Raises:
            InvalidInput: MALFORMED_DOCUMENT, there is no such challenge.
        """
        return Challenge(
            self.network,
            self.holder,
            self.purpose,
            self.nonce,
            self.block.height,
            self.block.block_hash,
            self.expires_height,
        )

    @property
    def disclosure(self) -> Disclosure:
        """Which kind of page it is."""
        return Disclosure.COMMITMENTS if self.commitments else Disclosure.ADDRESSES


def _contradiction(message: str) -> CheckFailed:
    advice = "Believe nothing on this page; take it again from its publisher, and tell them."
    return CheckFailed(Code.PAGE_DIFFERS, message, advice=advice)
