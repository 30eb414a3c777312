"""A vault's coins in a copy of the whole UTXO set, as a node's `dumptxoutset` wrote it.

The copy is of one block. Without a hash from a trusted node it is the word of whoever wrote it; with one, it is
that node's set to the byte. Beside it a journal's claim can be compared where the journal knows the block.
"""

from dataclasses import dataclass

from custody.audit.balance import BlockBalance, Route, RouteName, differences
from custody.audit.balance_claim import claim_doubts, claim_gaps, claimed_route
from custody.audit.state import State
from custody.chain.utxo_dump import UtxoDump
from custody.codes import Code
from custody.errors import CheckFailed, Finding, InvalidInput, Severity
from custody.ports import Progress
from custody.vault.vault import Vault
from custody.workflow.audit_window import AuditWindow, placed


@dataclass(frozen=True, slots=True)
class DumpChoice:
    """A copy of the UTXO set, and what a trusted node says of it."""

    dump: UtxoDump
    expected_hash: str | None = None
    """`hash_serialized_3` of `gettxoutsetinfo` at its block."""
    expected_block: str | None = None
    """The block that it must say it is of: nothing in the file proves that name."""

    def require_network(self, vault: Vault) -> None:
        """Demand that the copy is of the vault's network.

        Raises:
            InvalidInput: NETWORK_MISMATCH.
        """
        if self.dump.network is not vault.network:
            raise InvalidInput(
                Code.NETWORK_MISMATCH,
                f"the copy of the UTXO set is of network `{self.dump.network}`, the vault of `{vault.network}`",
                advice="Use a copy that a node of the vault's network wrote.",
            )

    def require_block(self) -> None:
        """Demand that the copy says it is of the expected block.

        Raises:
            CheckFailed: CHAIN_DISAGREES.
        """
        if self.expected_block not in (None, self.dump.block_hash):
            raise CheckFailed(
                Code.CHAIN_DISAGREES,
                f"the copy of the UTXO set says that it is of block `{self.dump.block_hash}`, "
                f"expected `{self.expected_block}`",
                advice="Ask for a copy of the block that you mean.",
            )

    def route(self, window: AuditWindow, progress: Progress) -> Route:
        """Return the vault's coins in the copy, which is read again where one of them widens the window.

        Raises:
            CheckFailed: TXOUTSET_HASH_DIFFERS. InvalidInput: UTXO_DUMP_INVALID.
        """
        while True:
            if self.expected_hash is None:
                reading = self.dump.read(window.scripts, progress)
            else:
                reading = self.dump.read_hashed(window.scripts, progress)
                reading.require_hash(self.expected_hash)
            if not window.widen(coin.script_pubkey for coin in reading.coins):
                return Route(RouteName.DUMP, placed(reading.coins, window.places))

    def findings(self) -> tuple[Finding, ...]:
        """Return what is to be said of a copy that nothing vouches for."""
        if self.expected_hash is not None:
            return ()
        return (
            Finding(
                Code.UTXO_UNVERIFIED,
                Severity.NOTE,
                "utxo-dump",
                "the copy of the UTXO set is the word of whoever wrote it",
                "Give --expect-txoutset-hash with the `txoutset_hash` that `dumptxoutset` printed on a node of yours.",
            ),
        )


_NAME_OF_A_FILE = Finding(
    Code.UTXO_UNVERIFIED,
    Severity.NOTE,
    "utxo-dump",
    "the hash covers the coins, not the name of their block: that is the word of whoever wrote the file",
    "Give --block with the `base_hash` that your node printed beside the `txoutset_hash`.",
)


def balance_of_dump(
    vault: Vault, choice: DumpChoice, *, journal: State | None, window: int, progress: Progress
) -> BlockBalance:
    """Return the balance at the copy's block, without any node.

    Raises:
        CheckFailed: ENGINES_DISAGREE, TXOUTSET_HASH_DIFFERS, CHAIN_DISAGREES.
        InvalidInput: UTXO_DUMP_INVALID, NETWORK_MISMATCH.
    """
    choice.require_network(vault)
    choice.require_block()
    is_named_alone = choice.expected_hash is not None and choice.expected_block is None
    scripts = AuditWindow(vault, window, journal, progress)
    routes = [choice.route(scripts, progress)]
    height = None if journal is None else _height_in(journal, choice.dump.block_hash)
    incomplete: tuple[str, ...] = ()
    if journal is not None and height is None:
        incomplete = ("the journal doesn't know the block of the copy of the UTXO set: its claim can't be compared",)
    elif journal is not None and height is not None:
        routes.append(claimed_route(journal, height))
        incomplete = claim_gaps(journal, height)
    return BlockBalance(
        height=height,
        block_hash=choice.dump.block_hash,
        median_time_past=0,
        routes=tuple(routes),
        window=scripts.counts,
        unconfirmed=None,
        frozen=None if journal is None else journal.frozen,
        incomplete=incomplete,
        findings=(
            *choice.findings(),
            *((_NAME_OF_A_FILE,) if is_named_alone else ()),
            *(() if journal is None else claim_doubts(journal)),
            *differences(routes, {}),
        ),
    )


def _height_in(journal: State, block_hash: str) -> int | None:
    if journal.tip is not None and journal.tip.block_hash == block_hash:
        return journal.tip.height
    return next((one.height for one in journal.transactions.values() if one.block_hash == block_hash), None)
