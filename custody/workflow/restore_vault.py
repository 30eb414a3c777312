"""Make a workspace from a backup, verified whole.

The file is read once, line by line, into a folder beside its final place; each entry is checked, folded and
appended as it comes. Nothing in the file is believed: digests and counts are compared, the chain and every
signature in it are judged as in any journal, and what the file says beside the journal must be what follows from
it. Only then does the folder take its name, so that a kill leaves nothing, or the whole workspace.

The journal goes on where it was: same id, same head. So the old workspace must not go on too; what shows two
histories afterwards is a head, a checkpoint or a pin that was kept elsewhere (JOURNAL_FORK).
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from custody.audit.backup import (
    JOURNAL,
    LABELS,
    PROFILES,
    SIGNERS,
    VAULT,
    Manifest,
    SectionCount,
    backup_altered,
    device_ids,
    profile_lines,
    signer_lines,
)
from custody.audit.fold import fold
from custody.audit.journal import Entry, linked
from custody.audit.state import State
from custody.codes import Code
from custody.documents.canonical_json import canonical
from custody.errors import Finding, JsonValue, Severity
from custody.vault.checks import inspect_vault
from custody.vault.vault import Vault
from custody.workflow.backup_lines import BackupLines, part_of_backup
from custody.workflow.backup_vault import label_lines, manifest_of
from custody.workflow.checkpoint import Hashes
from custody.workflow.create_vault import write_vault_file
from custody.workflow.kept_elsewhere import Expected
from custody.workspace.fresh_folder import fresh_folder
from custody.workspace.kept_profiles import keep_profiles
from custody.workspace.layout import Workspace
from custody.workspace.sqlite_store import SqliteJournal

_BATCH_BYTES = 4_000_000
"""Entries are appended in steps of about this size, each one transaction."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A workspace that was made from a backup."""

    manifest: Manifest
    vault: Vault
    state: State
    findings: tuple[Finding, ...]
    """Warnings and notes: nothing of the backup was refused."""
    profiles: Mapping[str, JsonValue]
    """Documents of the devices' profiles that the backup brought along, by model."""


def restore_backup(path: Path, directory: Path, expected: Expected, *, unique: str) -> Restored:
    """Make the new workspace `directory` from the backup `path`; `unique` names the folder meanwhile.

    Raises:
        Altered: BACKUP_ALTERED, JOURNAL_ALTERED, JOURNAL_FORK (it does not follow what was kept elsewhere).
        CheckFailed: VAULT_MISMATCH, another vault than expected.
        Conflict: VAULT_EXISTS. InvalidInput: no backup. UpgradeNeeded: a later version wrote it.
        SecretRefused: something in it looks like a private key.
    """
    with fresh_folder(directory, unique=unique) as folder:
        lines = BackupLines(path)
        manifest = lines.manifest()
        expected.require_vault(manifest.vault_id)
        workspace = Workspace(folder)
        workspace.make_folders()
        lines.skip(manifest.section(VAULT))
        profiles = lines.profiles(manifest.section(PROFILES))
        lines.skip(manifest.section(SIGNERS))
        lines.skip(manifest.section(LABELS))
        with part_of_backup("line 1"):
            journal = SqliteJournal.create(workspace.journal_db, manifest.journal_id)
        intake = _Intake(lines.section(manifest.section(JOURNAL)), journal, manifest.journal_id)
        state = fold(intake.entries())
        lines.require_end()
        vault = Vault.from_document(dict(state.vault_document))
        kept = profile_lines(device_ids(state.signers), profiles.get)
        _require_derived(manifest, _derived(vault, state, kept, intake))
        findings = [*expected.require_journal(intake.hashes, state.governance), *inspect_vault(vault)]
        keep_profiles(workspace, kept)
        write_vault_file(workspace, vault)
        _require_whole(journal, manifest)
    return Restored(manifest, vault, state, (_copied(), *findings), profiles)


class _Intake:
    """Takes the journal's lines into a store while they are folded."""

    def __init__(self, lines: Iterator[bytes], journal: SqliteJournal, journal_id: str) -> None:
        self.count = SectionCount()
        self._lines = lines
        self._journal = journal
        self._journal_id = journal_id
        self._hashes = bytearray()
        self._last: Entry | None = None

    @property
    def head(self) -> Entry:
        """The newest entry."""
        if self._last is None:
            raise backup_altered("the journal in the backup is empty")
        return self._last

    @property
    def hashes(self) -> Hashes:
        """The hash of every entry."""
        return Hashes(bytes(self._hashes))

    def entries(self) -> Iterator[Entry]:
        """Yield each entry when it follows the one before; at the end all are in the store, durable."""
        batch: list[Entry] = []
        size, stored = 0, None
        for entry in linked(self._read()):
            batch.append(entry)
            size += len(entry.canonical)
            self._hashes += bytes.fromhex(entry.hash)
            self._last = entry
            yield entry
            if size >= _BATCH_BYTES:
                self._journal.append(batch, expected_head=stored)
                batch, size, stored = [], 0, entry.hash
        if batch:
            self._journal.append(batch, expected_head=stored)

    def _read(self) -> Iterator[Entry]:
        for line in self._lines:
            self.count.add(line)
            entry = Entry.from_export_line(line)
            if entry.journal_id != self._journal_id:
                raise backup_altered(f"entry:{entry.seq} is of another journal than line 1 names")
            yield entry


def _derived(vault: Vault, state: State, kept: list[bytes], intake: _Intake) -> Manifest:
    """Return the manifest that follows from the journal, whatever the sections before it said."""
    counts = {
        VAULT: SectionCount.of([canonical(vault.to_document()) + b"\n"]),
        PROFILES: SectionCount.of(kept),
        SIGNERS: SectionCount.of(signer_lines(state.signers)),
        LABELS: SectionCount.of(label_lines(state)),
        JOURNAL: intake.count,
    }
    return manifest_of(vault, intake.head, counts)


def _require_derived(manifest: Manifest, derived: Manifest) -> None:
    """Demand that line 1 is what follows from the journal."""
    for said, found in zip(manifest.sections, derived.sections, strict=True):
        if said.sha256 != found.sha256:
            raise backup_altered(f"section {said.name} is not what the journal beside it says")
    if manifest != derived:
        raise backup_altered("line 1 is not what the journal below it says")


def _require_whole(journal: SqliteJournal, manifest: Manifest) -> None:
    """Read back the store before its workspace takes its name."""
    last = deque(journal.stream(), maxlen=1)
    if not last or (last[0].seq + 1, last[0].hash) != (manifest.entries, manifest.head):
        raise backup_altered("the restored journal does not read back as it was in the backup")


def _copied() -> Finding:
    return Finding(
        Code.JOURNAL_COPIED,
        Severity.WARN,
        "journal",
        "this journal goes on where the backup ended; if another workspace appends to it too, two histories exist",
        "Make sure that the old workspace is gone or retired, and that nothing was appended to it after the backup.",
    )
