"""A Bitcoin Core node of version 27 or newer, over JSON-RPC, as a view of the chain.

The node is asked through a watch-only wallet that is ours alone and through its set of unspent
outputs. What it answers is checked for type and range, every transaction for its hash; whether
its chain is the true one is for the node to judge. Nothing is asked of any other party.
"""

from collections.abc import Sequence
from types import TracebackType

from custody.bitcoin.amount import FeeRate
from custody.bitcoin.block import BlockHeader
from custody.bitcoin.network import Network
from custody.bitcoin.transaction import OutPoint, Transaction
from custody.chain import core_rpc_evidence
from custody.chain.answers import (
    MAX_TIME,
    as_bytes,
    as_flag,
    as_hash,
    as_integer,
    as_list,
    as_object,
    as_sats,
    as_text,
    as_transaction,
)
from custody.chain.core_rpc_mempool import (
    estimate_fee_rate,
    find_conflicts,
    is_in_mempool,
    judge_acceptance,
    minimum_fee_rate,
    send,
)
from custody.chain.core_rpc_past import coins_after
from custody.chain.core_rpc_scan import search_unspent
from custody.chain.core_rpc_wallet import BIRTH_MARGIN_BLOCKS, WALLET_PREFIX, VaultWallet, wallet_name
from custody.chain.core_rpc_watch import read_wallet
from custody.chain.evidence import BlockParts
from custody.chain.json_rpc import JsonRpc, RpcRefused, RpcValue, invalid_answer
from custody.codes import Code
from custody.errors import ChainUnavailable
from custody.ports import (
    ChainCoin,
    MempoolVerdict,
    PastCoins,
    Progress,
    ScanResult,
    Tip,
    WatchRequest,
    WatchResult,
)

MINIMUM_VERSION = 270_000
_INVALID_PARAMETER = -8
_NOT_FOUND = -5
_WALLET_NOT_LOADED = -18
_TRIES_PER_TIP = 5
_MAX_VERSION = 100_000_000


class CoreRpcBackend:
    """A `ChainBackend` over one node."""

    name = "core_rpc"

    def __init__(self, rpc: JsonRpc, network: Network, *, wallet: str | None = None) -> None:
        """Connect to the node and make sure that it serves `network`.

        `wallet` replaces the name that is made from the vault id.

        Raises:
            ChainUnavailable: NODE_UNREACHABLE, NODE_BUSY, NODE_WRONG_NETWORK, NODE_TOO_OLD.
        """
        self.network = network
        self._rpc = rpc
        self._wallet = wallet
        self._require_network()
        self._require_version()

    def __enter__(self) -> "CoreRpcBackend":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Do nothing: no connection outlives its call."""

    def tip(self) -> Tip:
        """Return the newest block."""
        return self._tip_of(as_hash(self._rpc.call("getbestblockhash"), "getbestblockhash"))

    def block_hash_at(self, height: int) -> str | None:
        """Return the hash of the block at `height` on the active chain, None above the tip."""
        try:
            return as_hash(self._rpc.call("getblockhash", [height]), "getblockhash")
        except RpcRefused as error:
            if error.number == _INVALID_PARAMETER:
                return None
            raise

    def block_at(self, height: int) -> Tip | None:
        """Return the block at `height` on the active chain, None above the tip."""
        block_hash = self.block_hash_at(height)
        return None if block_hash is None else self._tip_of(block_hash)

    def height_of(self, block_hash: str) -> int | None:
        """Return the height of a block of the active chain, None where it is not on it or unknown."""
        try:
            height = self._tip_of(block_hash).height
        except RpcRefused as error:
            if error.number == _NOT_FOUND:
                return None
            raise
        return height if self.block_hash_at(height) == block_hash else None

    def watch(self, request: WatchRequest, progress: Progress) -> WatchResult:
        """Import and rescan where needed, then return all that the node's wallet knows at one tip.

        Raises:
            ChainUnavailable: NODE_BUSY while the node is searching blocks; no partial number is given.
        """
        wallet = VaultWallet(self._rpc, self.network, self._wallet or wallet_name(request.vault_id))
        start = self._first_searched(request.birth_height)
        wallet.prepare(request, start, progress)
        scripts = frozenset(watched.script_pubkey for watched in request.scripts)
        for _ in range(_TRIES_PER_TIP):
            tip = self.tip()
            view = read_wallet(wallet.rpc, scripts)
            if self.tip() == tip and not view.differences:
                return WatchResult(tip, view.transactions, view.coins, self._gaps(request.birth_height))
        if self.tip() != tip:
            raise _moving()
        difference = (
            f"{Code.CHAIN_DISAGREES}: {view.differences} coins are in only one of the wallet's own list of coins "
            "and its transactions",
        )
        return WatchResult(tip, view.transactions, view.coins, self._gaps(request.birth_height) + difference)

    def scan(self, request: WatchRequest, progress: Progress) -> ScanResult:
        """Search the node's set of unspent outputs; repeated if the tip moved meanwhile."""
        scripts = frozenset(watched.script_pubkey for watched in request.scripts)
        for _ in range(_TRIES_PER_TIP):
            block_hash, height, coins = search_unspent(self._rpc, scripts, progress)
            tip = self.tip()
            if (tip.block_hash, tip.height) == (block_hash, height):
                return ScanResult(tip, coins)
        raise _moving()

    def coins_at(self, scripts: frozenset[bytes], height: int, progress: Progress) -> PastCoins:
        """Return what the scripts held right after the block at `height`; as `coins_at_each`."""
        return self.coins_at_each(scripts, (height,), progress)[0]

    def coins_at_each(
        self, scripts: frozenset[bytes], heights: Sequence[int], progress: Progress
    ) -> tuple[PastCoins, ...]:
        """Return what the scripts held right after each block: the UTXO set, with later blocks undone.

        Raises:
            ChainUnavailable: BLOCK_UNKNOWN above the tip, PRUNED_BELOW_BIRTH, NODE_BUSY.
        """
        for _ in range(_TRIES_PER_TIP):
            try:
                found = coins_after(self._rpc, scripts, heights, self._lowest_block(), progress)
            except RpcRefused as error:
                if error.number != _INVALID_PARAMETER:
                    raise
                found = None  # a height that was there a moment ago: the chain became shorter
            if found is not None:
                return tuple(PastCoins(self._tip_of(block_hash), coins) for block_hash, coins in found)
        raise _moving()

    def unspent(self, outpoint: OutPoint, *, include_mempool: bool) -> ChainCoin | None:
        """Return the coin if it is unspent, None if spent or unknown."""
        method = "gettxout"
        value = self._rpc.call(method, [outpoint.txid, outpoint.vout, include_mempool])
        if value is None:
            return None
        answer = as_object(value, method)
        best = self._tip_of(as_hash(answer.get("bestblock"), method))
        confirmations = as_integer(answer.get("confirmations"), method, high=best.height + 1)
        script = as_bytes(as_object(answer.get("scriptPubKey"), method).get("hex"), method)
        return ChainCoin(
            outpoint,
            as_sats(answer.get("value"), method),
            script,
            best.height - confirmations + 1 if confirmations else None,
            as_flag(answer.get("coinbase"), method),
        )

    def transaction(self, txid: str, block_hash: str | None) -> Transaction:
        """Return a whole transaction, its hash checked: from the block, the mempool or our wallet.

        Raises:
            ChainUnavailable: TRANSACTION_UNKNOWN.
        """
        method = "getrawtransaction"
        params: list[RpcValue] = [txid, False] if block_hash is None else [txid, False, block_hash]
        try:
            return as_transaction(self._rpc.call(method, params), txid, method)
        except RpcRefused as error:
            found = self._wallet_entry(txid)
            if found is None:
                raise ChainUnavailable(
                    Code.TRANSACTION_UNKNOWN,
                    f"the node can't give transaction `{txid}`: {error.words}",
                    advice="Sync first, so that the block is known; a pruned block must be downloaded again.",
                ) from error
            return found[0]

    def block_parts(self, block_hash: str) -> BlockParts:
        """Return what a proof needs of a block of the active chain."""
        return core_rpc_evidence.block_parts(self._rpc, block_hash)

    def headers(self, start: int, count: int) -> list[BlockHeader]:
        """Return the active chain's headers from `start` on."""
        return core_rpc_evidence.headers(self._rpc, start, count)

    def estimate_fee_rate(self, target_blocks: int) -> FeeRate:
        """Return the node's estimate; raises `ChainUnavailable` NO_FEE_ESTIMATE when it has none."""
        return estimate_fee_rate(self._rpc, target_blocks)

    def minimum_fee_rate(self) -> FeeRate:
        """Return the lowest rate that the node's mempool takes now."""
        return minimum_fee_rate(self._rpc)

    def test_accept(self, raw_transaction: bytes) -> MempoolVerdict:
        """Ask the node whether it would take the transaction; what it has in a block is already known."""
        verdict = judge_acceptance(self._rpc, raw_transaction)
        if not verdict.allowed and self._is_in_block(Transaction.parse(raw_transaction)):
            return MempoolVerdict(True, "", True)
        return verdict

    def conflicts(self, transaction: Transaction) -> tuple[str, ...]:
        """Return the txids in the mempool that this transaction would evict, descendants included."""
        return find_conflicts(self._rpc, transaction)

    def broadcast(self, raw_transaction: bytes) -> str:
        """Send the transaction and return its txid; already known is success.

        Raises:
            ChainUnavailable: NODE_REJECTED with the node's own words.
        """
        transaction = Transaction.parse(raw_transaction)
        try:
            return send(self._rpc, raw_transaction)
        except RpcRefused:
            # Sent before, by us or by anyone: then there is nothing left to do.
            if is_in_mempool(self._rpc, transaction.txid) or self._is_in_block(transaction):
                return transaction.txid
            raise

    def _require_network(self) -> None:
        method = "getblockchaininfo"
        chain = as_text(as_object(self._rpc.call(method), method).get("chain"), method)
        if chain != self.network.value:
            raise ChainUnavailable(
                Code.NODE_WRONG_NETWORK,
                f"the node serves network `{chain}`, expected `{self.network}`",
                advice=f"Name a node on `{self.network}`, in custody.yaml or with --node.",
            )

    def _require_version(self) -> None:
        method = "getnetworkinfo"
        answer = as_object(self._rpc.call(method), method)
        version = as_integer(answer.get("version"), method, high=_MAX_VERSION)
        if version < MINIMUM_VERSION:
            raise ChainUnavailable(
                Code.NODE_TOO_OLD,
                f"the node's version is {version}, at least {MINIMUM_VERSION} is needed",
                advice="Update the node to Bitcoin Core 27 or newer.",
            )

    def _tip_of(self, block_hash: str) -> Tip:
        method = "getblockheader"
        header = as_object(self._rpc.call(method, [block_hash]), method)
        if as_hash(header.get("hash"), method) != block_hash:
            raise invalid_answer(method, "is about another block")
        return Tip(
            as_integer(header.get("height"), method),
            block_hash,
            as_integer(header.get("mediantime"), method, high=MAX_TIME),
        )

    def _first_searched(self, birth_height: int) -> int:
        lowest = self._lowest_block()
        tip = as_integer(self._rpc.call("getblockcount"), "getblockcount")
        return min(max(birth_height - BIRTH_MARGIN_BLOCKS, lowest, 0), tip)

    def _lowest_block(self) -> int:
        method = "getblockchaininfo"
        answer = as_object(self._rpc.call(method), method)
        return as_integer(answer.get("pruneheight", 0), method) if as_flag(answer.get("pruned"), method) else 0

    def _gaps(self, birth_height: int) -> tuple[str, ...]:
        method = "getblockchaininfo"
        answer = as_object(self._rpc.call(method), method)
        blocks, headers = (as_integer(answer.get(name), method) for name in ("blocks", "headers"))
        gaps = []
        lowest = self._lowest_block()
        if lowest > birth_height:
            gaps.append(
                f"{Code.PRUNED_BELOW_BIRTH}: the node has pruned its blocks below height {lowest}, "
                f"the vault's birth height is {birth_height}"
            )
        if as_flag(answer.get("initialblockdownload"), method):
            gaps.append(f"the node is still downloading blocks: {blocks} of {headers}")
        elif blocks < headers:
            gaps.append(f"the node is behind its own headers: {blocks} of {headers} blocks")
        return tuple(gaps)

    def _is_in_block(self, transaction: Transaction) -> bool:
        for vout in range(len(transaction.outputs)):
            if self.unspent(OutPoint(transaction.txid, vout), include_mempool=False) is not None:
                return True
        entry = self._wallet_entry(transaction.txid)
        return entry is not None and entry[1] > 0

    def _wallet_entry(self, txid: str) -> tuple[Transaction, int] | None:
        """Return a transaction and its confirmations from a loaded wallet of ours."""
        method = "gettransaction"
        for name in as_list(self._rpc.call("listwallets"), "listwallets"):
            wallet = as_text(name, "listwallets")
            if wallet != self._wallet and not wallet.startswith(WALLET_PREFIX):
                continue
            try:
                answer = as_object(self._rpc.for_wallet(wallet).call(method, [txid]), method)
            except RpcRefused as error:
                if error.number in (_NOT_FOUND, _WALLET_NOT_LOADED):
                    continue
                raise
            confirmations = as_integer(answer.get("confirmations"), method, low=-(2**31))
            return as_transaction(answer.get("hex"), txid, method), confirmations
        return None


def _moving() -> ChainUnavailable:
    return ChainUnavailable(
        Code.NODE_BUSY,
        "the node's chain moved on during each try",
        advice="Wait until the node has caught up with the network, then repeat the command.",
    )
