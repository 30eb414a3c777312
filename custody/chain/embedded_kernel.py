"""The engine of the embedded chain: libbitcoinkernel, Bitcoin Core's own validation, in process.

Blocks go in as bytes and come out as bytes; no object of the library leaves this module,
because its views dangle once the manager behind them is gone. One process holds the chain
at a time: a lock file of ours says so before LevelDB would. The library writes its index
and coins when it closes, so `flush` closes and opens it; what was mined before a flush
survives a kill, what was mined after may be lost as a whole, never in part.
Regtest only, on purpose: nothing here downloads a block or keeps a real chain.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from custody.atomic import make_directory
from custody.bitcoin.block import Block, BlockHeader
from custody.bitcoin.transaction import Transaction
from custody.codes import Code
from custody.errors import ChainUnavailable, Conflict

if TYPE_CHECKING:
    import pbk

_LOCK_NAME = "lock"
_LOCK_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class KernelChain:
    """One regtest chain in one folder, held by this process until `close`."""

    def __init__(self, folder: Path) -> None:
        """Open or create the chain in `folder`.

        Raises:
            ChainUnavailable: COMPONENT_MISSING without py-bitcoinkernel, NODE_UNREACHABLE when
                the folder holds no chain that the engine can open.
            Conflict: WORKSPACE_LOCKED while another process holds the chain.
        """
        _require_library()
        self._folder = folder
        make_directory(folder)
        self._lock = _take_lock(folder)
        self._manager: pbk.ChainstateManager | None = None
        try:
            self._manager = _open_manager(folder)
        finally:
            if self._manager is None:
                os.close(self._lock)

    def __enter__(self) -> "KernelChain":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write everything to disk and let other processes in; closing twice does nothing."""
        if self._manager is not None:
            _destroy(self._manager)
            self._manager = None
            os.close(self._lock)

    def flush(self) -> None:
        """Write everything to disk, so that a kill from here on loses nothing."""
        _destroy(self._open_manager_or_raise())
        self._manager = None
        try:
            self._manager = _open_manager(self._folder)
        finally:
            if self._manager is None:
                os.close(self._lock)

    @property
    def height(self) -> int:
        """Height of the active chain's tip."""
        return int(self._open_manager_or_raise().get_active_chain().height)

    def block_hash_at(self, height: int) -> str:
        """Return the hash of the active chain's block at `height`, as displayed."""
        return str(self._open_manager_or_raise().get_active_chain().block_tree_entries[height].block_hash)

    def header_at(self, height: int) -> BlockHeader:
        """Return the header of the active chain's block at `height`."""
        entry = self._open_manager_or_raise().get_active_chain().block_tree_entries[height]
        return BlockHeader.parse(bytes(entry.block_header))

    def transactions_at(self, height: int) -> tuple[Transaction, ...]:
        """Return the transactions of the active chain's block at `height`, the coinbase first."""
        manager = self._open_manager_or_raise()
        try:
            block = manager.blocks[manager.get_active_chain().block_tree_entries[height]]
        except RuntimeError as error:
            raise _damaged(self._folder) from error
        return tuple(Transaction.parse(bytes(transaction)) for transaction in block.transactions)

    def submit(self, block: Block) -> None:
        """Hand a block to the engine, which checks and keeps it.

        A block on a branch that isn't the longest yet is kept without being connected.

        Raises:
            ChainUnavailable: NODE_REJECTED when the engine finds the block invalid.
        """
        import pbk

        manager = self._open_manager_or_raise()
        try:
            manager.process_block(pbk.Block(block.serialize()))
        except (pbk.ProcessBlockException, RuntimeError) as error:
            raise rejected_block(block) from error

    def _open_manager_or_raise(self) -> "pbk.ChainstateManager":
        if self._manager is None:
            raise ChainUnavailable(
                Code.NODE_UNREACHABLE, "the embedded chain is closed", advice="Open the workspace's chain again."
            )
        return self._manager


def rejected_block(block: Block) -> ChainUnavailable:
    """Return the error for a block that didn't become part of the chain."""
    return ChainUnavailable(
        Code.NODE_REJECTED,
        f"the engine refused block `{block.header.block_hash}`",
        advice="Remove the transaction that consensus forbids, then mine again.",
    )


def _require_library() -> None:
    try:
        import pbk  # noqa: F401
    except ImportError as error:
        raise ChainUnavailable(
            Code.COMPONENT_MISSING,
            "the embedded chain needs the library py-bitcoinkernel (module `pbk`), which is not installed here",
            advice="Use Python 3.11 to 3.13, for which the library has wheels, or use a node or a snapshot instead.",
        ) from error


def _take_lock(folder: Path) -> int:
    # flock rather than a POSIX lock: those fall away when any descriptor of the file is closed,
    # and LevelDB's own locks in the same process would go the same way.
    try:
        lock = os.open(folder / _LOCK_NAME, _LOCK_FLAGS, 0o600)
    except OSError as error:
        raise ChainUnavailable(
            Code.NODE_UNREACHABLE,
            f"the lock of the embedded chain in `{folder}` can't be opened",
            advice="Check the folder's permissions; the embedded chain needs a folder that it may write.",
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise Conflict(
            Code.WORKSPACE_LOCKED,
            f"another process holds the embedded chain in `{folder}`",
            advice="Wait until the other command has ended, then repeat this one.",
        ) from error
    return lock


def _open_manager(folder: Path) -> "pbk.ChainstateManager":
    import pbk

    try:
        return pbk.load_chainman(folder, pbk.ChainType.REGTEST)
    except RuntimeError as error:
        raise _damaged(folder) from error


def _destroy(manager: "pbk.ChainstateManager") -> None:
    # Leaving the manager's context destroys the C++ object now; waiting for the garbage
    # collector would keep the files locked for as long as any traceback refers to it.
    with manager:
        pass


def _damaged(folder: Path) -> ChainUnavailable:
    return ChainUnavailable(
        Code.NODE_UNREACHABLE,
        f"the engine can't open the embedded chain in `{folder}`",
        advice="Check disk space and permissions; a damaged test chain can be deleted and mined again.",
    )
