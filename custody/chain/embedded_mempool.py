"""The embedded chain's mempool: unconfirmed transactions, kept in one small file between commands.

The file is a claim like any other: each transaction is judged again when it is read, and one
that no longer fits the chain is dropped, as a node drops it after a restart.
"""

import json
import re
from pathlib import Path

from custody.atomic import read_file, replace_file
from custody.bitcoin.transaction import OutPoint, Transaction
from custody.chain.embedded_index import ChainIndex
from custody.chain.embedded_policy import Admission, PoolEntry, conflicts, judge, pool_coin
from custody.codes import Code
from custody.errors import ChainUnavailable, InvalidInput
from custody.ports import ChainCoin

FORMAT = "custody-embedded-mempool/1"
_MAX_FILE_BYTES = 64_000_000
_HEX = re.compile(r"(?:[0-9a-f]{2})+", re.ASCII)


class Mempool:
    """Unconfirmed transactions on top of one `ChainIndex`, parents before children."""

    def __init__(self, path: Path, chain: ChainIndex) -> None:
        self._path = path
        self._chain = chain
        self.entries: dict[str, PoolEntry] = {}
        for transaction in _read(path):
            self.offer(transaction)

    def judge(self, transaction: Transaction) -> Admission:
        """Say whether the transaction would be taken."""
        return judge(transaction, self._chain, self.entries)

    def offer(self, transaction: Transaction) -> Admission:
        """Take the transaction if the rules allow it, without writing the file."""
        admission = self.judge(transaction)
        if not admission.reason:
            for txid in admission.replaced:
                del self.entries[txid]
            self.entries[transaction.txid] = PoolEntry(transaction, admission.fee)
        return admission

    def save(self) -> None:
        """Write the file, whole or not at all."""
        raws: list[str] = [entry.transaction.serialize().hex() for entry in self.entries.values()]
        content = json.dumps({"format": FORMAT, "transactions": raws}, sort_keys=True)
        replace_file(self._path, content.encode() + b"\n")

    def reconsider(self, returned: tuple[Transaction, ...] = ()) -> None:
        """Judge everything again after the chain changed; `returned` left the chain and may come back."""
        candidates = (*returned, *(entry.transaction for entry in self.entries.values()))
        self.entries = {}
        for transaction in candidates:
            if transaction.txid not in self._chain.heights:
                self.offer(transaction)

    def conflicts(self, transaction: Transaction) -> tuple[str, ...]:
        """Return the txids that the transaction would evict."""
        return conflicts(transaction, self.entries)

    def spends(self, outpoint: OutPoint) -> bool:
        """Whether a transaction in the mempool spends the outpoint."""
        return any(
            tx_input.outpoint == outpoint for entry in self.entries.values() for tx_input in entry.transaction.inputs
        )

    def output(self, outpoint: OutPoint) -> ChainCoin | None:
        """Return an output of a transaction in the mempool, spent or not."""
        return pool_coin(outpoint, self.entries)


def _read(path: Path) -> list[Transaction]:
    try:
        content = json.loads(read_file(path, max_bytes=_MAX_FILE_BYTES))
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise _damaged(path)
        return [_parse(raw, path) for raw in content["transactions"]]
    except InvalidInput as error:
        if error.code is Code.FILE_NOT_FOUND:
            return []
        raise _damaged(path) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(path) from error


def _parse(raw: object, path: Path) -> Transaction:
    if not isinstance(raw, str) or _HEX.fullmatch(raw) is None:
        raise _damaged(path)
    return Transaction.parse(bytes.fromhex(raw))


def _damaged(path: Path) -> ChainUnavailable:
    return ChainUnavailable(
        Code.NODE_UNREACHABLE,
        f"the embedded mempool `{path}` is damaged",
        advice="Delete the file: it holds only unconfirmed transactions of the test chain.",
    )
