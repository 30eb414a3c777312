"""Write what the node knows about the vault into a file for a machine without a network."""

from enum import Enum
from pathlib import Path
from typing import Protocol

from custody.chain.evidence import EvidenceSource, take_evidence
from custody.chain.snapshot import SnapshotFinding, take_snapshot, write_snapshot_file
from custody.chain.snapshot_file import Snapshot
from custody.codes import Code
from custody.errors import ChainUnavailable
from custody.ports import ChainBackend, Progress
from custody.workflow.office import Desk
from custody.workflow.sync_coins import SyncOutcome, watch_request, window_of


class Evidence(Enum):
    """How much a snapshot brings along to show that its blocks have real work."""

    NONE = "none"
    BLOCKS = "blocks"
    """The header of each block that holds a transaction of ours."""
    HEADERS = "headers"
    """And every header from the first of them to the tip."""


class EvidentBackend(ChainBackend, EvidenceSource, Protocol):
    """A view of the chain that may also be asked for evidence."""


def export_snapshot(
    desk: Desk,
    backend: EvidentBackend,
    outcome: SyncOutcome,
    path: Path,
    progress: Progress,
    *,
    evidence: Evidence = Evidence.NONE,
) -> Snapshot:
    """Write a new snapshot file of the view that `outcome` found; the previous transaction of every coin is in it.

    Raises:
        ChainUnavailable: NODE_BUSY when the tip moved since; a block that the evidence needs can't be had.
        InvalidInput: EVIDENCE_INVALID, what the node gave proves nothing.
        Conflict: FILE_EXISTS.
    """
    request = watch_request(desk.vault, *window_of(desk.state))
    seen = backend.watch(request, progress)
    if seen.tip.block_hash != outcome.tip.block_hash:
        raise ChainUnavailable(
            Code.NODE_BUSY, "the chain's tip moved while the snapshot was taken", advice="Run the command again."
        )
    finding = SnapshotFinding(outcome.incomplete, outcome.compared_with_utxo_set)
    gathered = None
    if evidence is not Evidence.NONE:
        up_to_tip = evidence is Evidence.HEADERS
        gathered = take_evidence(backend, seen.transactions, seen.tip, up_to_tip=up_to_tip, progress=progress)
    snapshot = take_snapshot(backend, request, seen, finding, gathered)
    write_snapshot_file(path, snapshot)
    return snapshot
