"""Write one file with everything public about a vault: `custody-backup/1` (see `custody/audit/backup.py`).

The journal is read twice, entry by entry, whatever store it is in: once to fold and count, once to write. What
other offices append in between is left out; that what is written is what was counted is checked by digest.
Settings (`custody.yaml`) are an office's own and stay out; so do the chain's data, `outbox` and `inbox`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from custody import atomic
from custody.audit.backup import (
    JOURNAL,
    LABELS,
    PROFILES,
    SIGNERS,
    VAULT,
    Manifest,
    ProfileSource,
    SectionCount,
    backup_altered,
    device_ids,
    placed,
    profile_lines,
    profiles_of,
    signer_lines,
)
from custody.audit.fold import fold
from custody.audit.journal import Entry
from custody.audit.state import State
from custody.documents.canonical_json import canonical
from custody.documents.secret_gate import scan_bytes
from custody.ports import JournalStore
from custody.vault.vault import Vault
from custody.workflow.label_coins import export_labels
from custody.workflow.open_vault import require_adopted_file
from custody.workspace.journal_store import open_journal
from custody.workspace.layout import Workspace

MAX_LINE_BYTES = 65_000_000
"""A journal entry's limit and its hash."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was written and read back."""

    manifest: Manifest
    sha256: str
    """Of the whole file."""
    state: State
    vault: Vault
    unknown_devices: tuple[str, ...]
    """Devices that the journal names and this version has no profile of."""


def backup_vault(workspace: Workspace, path: Path, profile_of: ProfileSource) -> Backup:
    """Write a backup of the workspace's vault into the new file `path`.

    Raises:
        Altered: the journal, or the vault file beside it, is not what was written.
        UpgradeNeeded: the journal holds an entry of a kind that this version does not know.
        Conflict: FILE_EXISTS, WRITE_FAILED. SecretRefused: something in it looks like a private key.
    """
    atomic.require_creatable(path)
    journal = open_journal(workspace)
    reading = _Reading(journal)
    state = fold(reading.entries())
    vault = Vault.from_document(dict(state.vault_document))
    require_adopted_file(workspace, vault)
    named = device_ids(state.signers)
    profiles = profile_lines(named, profile_of)
    before = {
        VAULT: [canonical(vault.to_document()) + b"\n"],
        PROFILES: profiles,
        SIGNERS: signer_lines(state.signers),
        LABELS: label_lines(state),
    }
    for name, lines in before.items():
        for line in lines:
            scan_bytes(line, place=f"the {name} of the backup")
    counts = {name: SectionCount.of(lines) for name, lines in before.items()}
    manifest = manifest_of(vault, reading.last(), {**counts, JOURNAL: reading.count})
    whole = SectionCount()
    pieces = _pieces(manifest, [line for lines in before.values() for line in lines], journal)
    atomic.create_file_from(path, _counted(pieces, whole))
    _require_same_file(path, whole.sha256)
    unknown = tuple(one for one in named if one not in profiles_of(profiles))
    return Backup(manifest, whole.sha256, state, vault, unknown)


def manifest_of(vault: Vault, head: Entry, counts: Mapping[str, SectionCount]) -> Manifest:
    """Return the manifest of a backup with these sections, whose journal ends in `head`."""
    return Manifest(
        vault_id=vault.vault_id,
        vault_name=vault.name,
        network=str(vault.network),
        journal_id=head.journal_id,
        entries=head.seq + 1,
        head=head.hash,
        time=head.time,
        sections=placed(counts),
    )


def label_lines(state: State) -> list[bytes]:
    """Return the labels as lines of a BIP 329 file."""
    # Split at LF alone: a line that was kept as it came may hold a carriage return.
    return [line + b"\n" for line in export_labels(state).split(b"\n")[:-1]]


class _Reading:
    """The first pass over the journal: the head and the section's digest are all that it keeps."""

    def __init__(self, journal: JournalStore) -> None:
        self.count = SectionCount()
        self._journal = journal
        self._last: Entry | None = None

    def entries(self) -> Iterator[Entry]:
        """Yield every entry once."""
        for entry in self._journal.stream():
            line = entry.export_line()
            # What restore would refuse must not be trusted as a backup.
            scan_bytes(line, place=f"entry {entry.seq} of the journal")
            self.count.add(line)
            self._last = entry
            yield entry

    def last(self) -> Entry:
        """Return the newest entry."""
        if self._last is None:
            raise backup_altered("the journal is empty")
        return self._last


def _pieces(manifest: Manifest, lines: list[bytes], journal: JournalStore) -> Iterator[bytes]:
    yield manifest.to_line()
    yield from lines
    count = SectionCount()
    for entry in islice(journal.stream(), manifest.entries):
        line = entry.export_line()
        count.add(line)
        yield line
    wanted = manifest.section(JOURNAL)
    if count.section(JOURNAL, wanted.first_line) != wanted:
        raise backup_altered("the journal changed while it was read")


def _counted(pieces: Iterator[bytes], whole: SectionCount) -> Iterator[bytes]:
    for piece in pieces:
        whole.add(piece)
        yield piece


def _require_same_file(path: Path, sha256: str) -> None:
    """Read back what was written: a backup that can't be read is none."""
    found = SectionCount.of(atomic.read_lines(path, max_line_bytes=MAX_LINE_BYTES))
    if found.sha256 != sha256:
        raise backup_altered(f"`{path}` does not read back as it was written")
