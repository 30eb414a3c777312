"""Any range of a vault's addresses, rebuilt from the descriptor by two engines and compared one by one.

What is rebuilt is a stream: nothing is kept but a running digest, so a hundred thousand addresses take
no more memory than a hundred. The digest depends on the addresses alone, not on how they are written:
two auditors compare it, whatever form each has read.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from custody.bitcoin.address import script_of
from custody.bitcoin.descriptor import Branch, Descriptor
from custody.bitcoin.network import Network
from custody.bitcoin.second_opinion import MAX_INDEX, SecondOpinion
from custody.codes import Code
from custody.errors import CheckFailed, InvalidInput
from custody.vault.vault import deriver_of

ENGINES = ("custody", "libwally")
CHUNK = 500
"""Addresses that are derived at once."""


@dataclass(frozen=True, slots=True)
class Span:
    """Some neighbouring indexes of one branch."""

    branch: Branch
    start: int
    count: int

    @property
    def indexes(self) -> range:
        """Every index of it."""
        return range(self.start, self.start + self.count)


@dataclass(frozen=True, slots=True)
class AddressRange:
    """What is rebuilt: the same indexes of one branch or of both, the receive branch first."""

    branches: tuple[Branch, ...]
    start: int
    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.start + self.count - 1 <= MAX_INDEX:
            raise InvalidInput(
                Code.INDEX_OUT_OF_RANGE,
                f"indexes {self.start} to {self.start + self.count - 1} lie outside 0 to {MAX_INDEX}",
                advice="Begin lower, or ask for fewer.",
            )

    @property
    def total(self) -> int:
        """How many addresses that is."""
        return self.count * len(self.branches)

    def spans(self) -> Iterator[Span]:
        """Yield it in pieces of at most `CHUNK` addresses, in order."""
        for branch in self.branches:
            for start in range(self.start, self.start + self.count, CHUNK):
                yield Span(branch, start, min(CHUNK, self.start + self.count - start))


def branches_of(descriptor: Descriptor, label: str) -> tuple[Branch, ...]:
    """Return the branches that `receive`, `change` or `both` means; `both` is all that the descriptor has.

    Raises:
        InvalidInput: INDEX_OUT_OF_RANGE, the descriptor lacks that branch.
    """
    present = tuple(Branch(branch) for branch in descriptor.branches)
    if label == "both":
        return present
    wanted = Branch.from_label(label)
    if wanted not in present:
        raise InvalidInput(
            Code.INDEX_OUT_OF_RANGE,
            f"the descriptor has no {label} branch",
            advice="Ask for the branch that it has, or give the descriptor with both.",
        )
    return (wanted,)


@dataclass(frozen=True, slots=True)
class TwoAnswers:
    """What each engine says of one span, in the order of its indexes."""

    first: tuple[str, ...]
    second: tuple[str, ...]


class Engines:
    """Both engines on one descriptor, each made once."""

    __slots__ = ("_deriver", "_network", "_second")

    def __init__(self, descriptor: Descriptor, network: Network) -> None:
        self._deriver = deriver_of(descriptor)
        self._second = SecondOpinion(descriptor.to_text(network), network)
        self._network = network

    def derive(self, span: Span) -> TwoAnswers:
        """Derive a span's addresses by both; nothing is compared yet."""
        position = self._deriver.descriptor.branches.index(span.branch)
        return TwoAnswers(
            tuple(self._deriver.address_at(span.branch, index, self._network) for index in span.indexes),
            tuple(self._second.addresses(position, span.start, span.count)),
        )


@dataclass(frozen=True, slots=True)
class RebuiltAddress:
    """An address that both engines derived."""

    branch: Branch
    index: int
    address: str
    script_pubkey: bytes

    def to_line(self) -> str:
        """Return what the digest takes in, and what a CSV file holds: four fields without quotes, and a line feed."""
        return f"{self.branch.label},{self.index},{self.address},{self.script_pubkey.hex()}\n"


def agreed(span: Span, answers: TwoAnswers, network: Network) -> Iterator[RebuiltAddress]:
    """Yield a span's addresses as long as the engines agree.

    Raises:
        CheckFailed: ENGINES_DISAGREE, at the first index at which they differ.
    """
    if not len(answers.first) == len(answers.second) == span.count:
        raise _disagree(span.branch, span.start, str(len(answers.first)), str(len(answers.second)))
    for index, ours, theirs in zip(span.indexes, answers.first, answers.second, strict=True):
        if ours != theirs:
            raise _disagree(span.branch, index, ours, theirs)
        yield RebuiltAddress(span.branch, index, ours, script_of(ours, network))


class RunningDigest:
    """How many addresses there were so far, and the SHA-256 of their lines."""

    __slots__ = ("_hasher", "count")

    def __init__(self) -> None:
        self._hasher = hashlib.sha256()
        self.count = 0

    def add(self, addresses: Sequence[RebuiltAddress]) -> None:
        """Take in further addresses, in order."""
        self._hasher.update("".join(one.to_line() for one in addresses).encode())
        self.count += len(addresses)

    @property
    def sha256(self) -> str:
        """Hex, of all lines so far."""
        return self._hasher.hexdigest()


def _disagree(branch: Branch, index: int, ours: str, theirs: str) -> CheckFailed:
    return CheckFailed(
        Code.ENGINES_DISAGREE,
        f"at {branch.label} {index} the engines derived `{ours}` and `{theirs}`",
        advice="Use none of these addresses, and report the descriptor to the developers.",
        details={"branch": branch.label, "index": index},
    )
