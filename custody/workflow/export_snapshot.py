"""Write what the node knows about the vault into a file for a machine without a network."""

from pathlib import Path

from custody.chain.snapshot import SnapshotFinding, take_snapshot, write_snapshot_file
from custody.chain.snapshot_file import Snapshot
from custody.codes import Code
from custody.errors import ChainUnavailable
from custody.ports import ChainBackend, Progress
from custody.workflow.office import Desk
from custody.workflow.sync_coins import SyncOutcome, watch_request, window_of


def export_snapshot(
    desk: Desk, backend: ChainBackend, outcome: SyncOutcome, path: Path, progress: Progress
) -> Snapshot:
    """Write a new snapshot file of the view that `outcome` found; the previous transaction of every coin is in it.

    Raises:
        ChainUnavailable: NODE_BUSY when the tip moved since.
        Conflict: FILE_EXISTS.
    """
    request = watch_request(desk.vault, *window_of(desk.state))
    seen = backend.watch(request, progress)
    if seen.tip.block_hash != outcome.tip.block_hash:
        raise ChainUnavailable(
            Code.NODE_BUSY, "the chain's tip moved while the snapshot was taken", advice="Run the command again."
        )
    finding = SnapshotFinding(outcome.incomplete, outcome.compared_with_utxo_set)
    snapshot = take_snapshot(backend, request, seen, finding)
    write_snapshot_file(path, snapshot)
    return snapshot
