"""The facts of a public page out of the statements behind it.

Who calls this has verified the statements, or is about to compare a page with them: nothing here proves
anything. Each coin is counted once, an address's amount is the sum of its coins, and an address without
coins is left out.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from custody.audit.publish.commitments import Salts
from custody.audit.publish.page import (
    BY_VAULT,
    PageAddress,
    PageBlock,
    PageCheckpoint,
    PageFacts,
    PageProof,
    PageStatement,
)
from custody.audit.reserves.statement import ClaimedCoin, ProofKind, Statement
from custody.bitcoin.amount import Sats, sum_sats
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import CheckFailed, InvalidInput


@dataclass(frozen=True, slots=True)
class PageSources:
    """All that a page is made of."""

    generator: str
    statements: tuple[Statement, ...]
    """At least one, all for one challenge."""
    median_time: int
    """Of the challenge's block, from a node."""
    checkpoints: tuple[PageCheckpoint, ...]

    def __post_init__(self) -> None:
        if not self.statements:
            raise InvalidInput(
                Code.MALFORMED_DOCUMENT, "a page needs a statement", advice="Give at least one with --statement."
            )
        if len({statement.challenge.digest for statement in self.statements}) != 1:
            raise CheckFailed(
                Code.CHALLENGE_MISMATCH,
                "the statements answer different challenges",
                advice="Publish a page for each challenge: a total is for one block.",
            )
        if any(one.network != str(self.network) for one in self.checkpoints):
            raise CheckFailed(
                Code.NETWORK_MISMATCH,
                "a checkpoint is from another network than the statements",
                advice="Give a checkpoint of the vault that the page is about.",
            )
        vaults = {statement.vault_id for statement in self.statements}
        if None not in vaults and any(one.vault_id not in vaults for one in self.checkpoints):
            raise CheckFailed(
                Code.VAULT_MISMATCH,
                "a checkpoint is of another vault than the statements",
                advice="Give a checkpoint of the vault that the page is about.",
            )

    @property
    def network(self) -> Network:
        """The statements' network."""
        return self.statements[0].challenge.network


def amounts_of(statements: Iterable[Statement]) -> dict[str, Sats]:
    """Return what each address holds by the statements' claims, each coin counted once."""
    coins = _coins_by_address(statements)
    return {address: sum_sats(coin.value for coin in held) for address, held in coins.items()}


def open_facts(sources: PageSources) -> PageFacts:
    """Return the facts of a page that shows every address; its statements are `statement-N.json` beside it."""
    return _facts(sources, None)


def committed_facts(sources: PageSources, salts: Salts) -> PageFacts:
    """Return the facts of a page that shows a commitment for each address, and publishes no statement.

    Raises:
        Conflict: PAGE_SALTS_DIFFER.
    """
    salts.require_same(sources.network, amounts_of(sources.statements))
    return _facts(sources, salts)


def statement_name(number: int) -> str:
    """Return the file name of the statement with this number, from 1."""
    return f"statement-{number}.json"


def _facts(sources: PageSources, salts: Salts | None) -> PageFacts:
    challenge = sources.statements[0].challenge
    held = _coins_by_address(sources.statements)
    kinds = _kinds_by_address(sources.statements)
    shown = [
        PageAddress(address, sum_sats(coin.value for coin in coins), len(coins), tuple(sorted(kinds.get(address, ()))))
        for address, coins in held.items()
    ]
    shown.sort(key=lambda one: (-one.value, one.address))
    return PageFacts(
        generator=sources.generator,
        network=sources.network,
        holder=challenge.holder,
        purpose=challenge.purpose,
        nonce=challenge.nonce,
        expires_height=challenge.expires_height,
        message=challenge.message.decode("ascii"),
        block=PageBlock(challenge.height, challenge.block_hash, sources.median_time),
        total=sum_sats(one.value for one in shown),
        proved=sum_sats(one.value for one in shown if one.is_signed_for),
        addresses=() if salts is not None else tuple(shown),
        commitments=() if salts is None else salts.commitments(),
        proofs=_proofs(sources.statements),
        statements=tuple(
            PageStatement(statement_name(number) if salts is None else None, statement.digest)
            for number, statement in enumerate(sources.statements, 1)
        ),
        checkpoints=sources.checkpoints,
        not_proven=tuple(dict.fromkeys(line for statement in sources.statements for line in statement.not_proven)),
    )


def _coins_by_address(statements: Iterable[Statement]) -> dict[str, list[ClaimedCoin]]:
    coins = {coin.outpoint: coin for statement in statements for coin in statement.coins}
    held: dict[str, list[ClaimedCoin]] = defaultdict(list)
    for coin in coins.values():
        held[coin.address].append(coin)
    return dict(held)


def _kinds_by_address(statements: Iterable[Statement]) -> dict[str, set[str]]:
    kinds: dict[str, set[str]] = defaultdict(set)
    for statement in statements:
        for proof in statement.proofs:
            for address in proof.addresses:
                kinds[address].add(str(proof.kind))
    for statement in statements:
        if statement.descriptor is not None and any(one.kind is ProofKind.PAYMENT for one in statement.proofs):
            for claimed in statement.addresses:
                kinds.setdefault(claimed.address, {BY_VAULT})
    return kinds


def _proofs(statements: Sequence[Statement]) -> tuple[PageProof, ...]:
    """Return one row for each statement and kind: how many addresses its proofs speak for."""
    rows = []
    for number, statement in enumerate(statements, 1):
        spoken: dict[str, set[str]] = defaultdict(set)
        for proof in statement.proofs:
            spoken[str(proof.kind)].update(proof.addresses)
        rows += [PageProof(number, kind, len(spoken[kind])) for kind in sorted(spoken)]
    return tuple(rows)
