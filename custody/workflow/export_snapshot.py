"""Write what the chain says about the vault into one file, for machines without a network."""

from pathlib import Path

from custody.audit.chain_view import last_used_index
from custody.chain.snapshot import SnapshotFinding, take_snapshot, write_snapshot_file
from custody.ports import ChainBackend, Progress
from custody.workflow.office import Office
from custody.workflow.sync_coins import MARGIN, WINDOW, SyncOutcome, watch_request


def export_snapshot(
    office: Office, backend: ChainBackend, path: Path, outcome: SyncOutcome, progress: Progress
) -> None:
    """Write a new snapshot file after a sync; an existing file is left alone.

    Raises:
        Conflict: FILE_EXISTS. ChainUnavailable: the backend can't give what the file needs.
    """
    count = max(WINDOW, last_used_index(office.state) + 1 + MARGIN)
    request = watch_request(office.vault, count, count)
    finding = SnapshotFinding(outcome.incomplete, outcome.compared_with_utxo_set)
    write_snapshot_file(path, take_snapshot(backend, request, backend.watch(request, progress), finding))
