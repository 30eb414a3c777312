"""Make a workspace from a backup, or from a vault's description alone.

A backup is read once, line by line, into a folder beside its final place; each entry is checked, folded and
appended as it comes. Nothing in the file is believed: digests and counts are compared, the chain and every
signature in it are judged as in any journal, and what the file says beside the journal must be what follows from
it. Only then does the folder take its name, so that a kill leaves nothing, or the whole workspace.

The journal goes on where it was: same id, same head. So the old workspace must not go on too; what shows two
histories afterwards is a head, a checkpoint or a pin that was kept elsewhere (JOURNAL_FORK).
"""

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from custody import atomic
from custody.audit.backup import (
    JOURNAL,
    LABELS,
    MAX_PROFILES,
    PROFILES,
    SIGNERS,
    START,
    VAULT,
    Manifest,
    Section,
    SectionCount,
    backup_altered,
    device_ids,
    profile_lines,
    profiles_of,
    signer_lines,
)
from custody.audit.fold import RESTORED, fold
from custody.audit.governance import GovernanceState
from custody.audit.journal import GENESIS_PREV, Entry, fork_finding, linked, require_clean, require_hash
from custody.audit.journal_fields import is_hash
from custody.audit.state import State
from custody.codes import Code
from custody.documents.canonical_json import canonical
from custody.documents.secret_gate import scan_bytes
from custody.errors import (
    CheckFailed,
    Finding,
    InvalidInput,
    JsonValue,
    SecretRefused,
    Severity,
    UpgradeNeeded,
    UsageError,
    refusals,
)
from custody.ports import Clock, NonceSource
from custody.vault.checks import inspect_vault, require_sound
from custody.vault.vault import Vault
from custody.workflow.backup_vault import MAX_LINE_BYTES, label_lines, manifest_of
from custody.workflow.checkpoint import Hashes, compare_checkpoint, governance_findings
from custody.workflow.clock import rfc3339
from custody.workflow.create_vault import adoption, write_vault_file, write_workspace
from custody.workflow.verify_journal import Kept
from custody.workspace.fresh_folder import fresh_folder
from custody.workspace.kept_profiles import keep_profiles
from custody.workspace.layout import Workspace
from custody.workspace.sqlite_store import SqliteJournal

_BATCH_BYTES = 4_000_000
"""Entries are appended in steps of about this size, each one transaction."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What was kept apart from the backup; each part is compared if it is there."""

    vault_id: str | None = None
    head: str | None = None
    """A head of the journal: the restored one must be it or follow it."""
    kept: Kept = ()
    """Signed checkpoints."""

    def __post_init__(self) -> None:
        if self.head is not None:
            require_hash(self.head)
        if self.vault_id is not None and not is_hash(self.vault_id):
            raise UsageError(
                Code.USAGE,
                "the expected vault_id is not 64 lower-case hex characters",
                advice="Copy the whole vault_id from the place where it was kept.",
            )


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


def is_backup(start: bytes) -> bool:
    """Tell whether a file with these first bytes is a backup of some version."""
    return start.startswith(START)


def restore_backup(path: Path, directory: Path, expected: Expected, *, unique: str) -> Restored:
    """Make the new workspace `directory` from the backup `path`; `unique` names the folder meanwhile.

    Raises:
        Altered: BACKUP_ALTERED, JOURNAL_ALTERED, JOURNAL_FORK (it does not follow what was kept elsewhere).
        CheckFailed: VAULT_MISMATCH, another vault than expected.
        Conflict: VAULT_EXISTS. InvalidInput: no backup. UpgradeNeeded: a later version wrote it.
        SecretRefused: something in it looks like a private key.
    """
    with fresh_folder(directory, unique=unique) as folder:
        lines = _Lines(path)
        manifest = _manifest(lines)
        require_vault_id(manifest.vault_id, expected.vault_id)
        workspace = Workspace(folder)
        workspace.make_folders()
        lines.skip(manifest.section(VAULT))
        profiles = _profiles(lines, manifest)
        lines.skip(manifest.section(SIGNERS))
        lines.skip(manifest.section(LABELS))
        with _part_of_backup("line 1"):
            journal = SqliteJournal.create(workspace.journal_db, manifest.journal_id)
        intake = _Intake(lines.section(manifest.section(JOURNAL)), journal, manifest.journal_id)
        state = fold(intake.entries())
        lines.require_end()
        vault = Vault.from_document(dict(state.vault_document))
        # What was skipped above had the digests of line 1; here they must be those of what the journal says.
        kept = profile_lines(device_ids(state.signers), profiles.get)
        derived = {
            VAULT: SectionCount.of([canonical(vault.to_document()) + b"\n"]),
            PROFILES: SectionCount.of(kept),
            SIGNERS: SectionCount.of(signer_lines(state.signers)),
            LABELS: SectionCount.of(label_lines(state)),
            JOURNAL: intake.count,
        }
        _require_derived(manifest, manifest_of(vault, intake.head, derived))
        findings = [*_against_kept(intake.hashes, state.governance, expected), *inspect_vault(vault)]
        keep_profiles(workspace, kept)
        write_vault_file(workspace, vault)
        _require_whole(journal, manifest)
    return Restored(manifest, vault, state, (_copied(), *findings), profiles)


def restore_description(
    vault: Vault,
    directory: Path,
    expected: Expected,
    *,
    source: str,
    actor: str | None,
    clock: Clock,
    ids: NonceSource,
) -> tuple[Finding, ...]:
    """Make a workspace from a vault's description alone: a new journal, whose governance is `unknown`.

    `expected.head` is what the missing journal ended in, where that was kept; it is recorded.

    Raises:
        CheckFailed: VAULT_MISMATCH. Conflict: VAULT_EXISTS. InvalidInput: a key is refused.
    """
    require_vault_id(vault.vault_id, expected.vault_id)
    findings = require_sound(vault)
    first = adoption(vault, ungoverned=False, actor=actor, clock=clock, ids=ids)
    second = Entry.make(
        journal_id=first.journal_id,
        seq=1,
        time=rfc3339(clock.now()),
        tip=None,
        actor=actor,
        kind=RESTORED,
        body={"source": source, "lost_head": expected.head},
        request_id=first.request_id,
        prev=first.hash,
    )
    write_workspace(vault, [first, second], directory, unique=ids.nonce())
    return findings


def require_vault_id(found: str, expected: str | None) -> None:
    """Demand that the vault is the expected one, where one is.

    Raises:
        CheckFailed: VAULT_MISMATCH.
    """
    if expected is not None and found != expected:
        raise CheckFailed(
            Code.VAULT_MISMATCH,
            f"the vault_id is {found}, expected {expected}",
            advice="Nothing was written. Find out where this file comes from before anybody relies on it.",
        )


class _Lines:
    """The lines of a backup, in sections; each passes the secret gate before anything else sees it."""

    def __init__(self, path: Path) -> None:
        self._lines = zip(count(1), atomic.read_lines(path, max_line_bytes=MAX_LINE_BYTES), strict=False)

    def next(self) -> bytes:
        """Return the next line, which is whole."""
        number, line = next(self._lines, (0, b""))
        if not line.endswith(b"\n"):
            raise backup_altered("the backup ends too early: it was cut short")
        scan_bytes(line, place=f"line {number} of the backup")
        return line

    def section(self, section: Section) -> Iterator[bytes]:
        """Yield a section's lines; when they are through, their digest was right."""
        found = SectionCount()
        for _line in range(section.lines):
            line = self.next()
            found.add(line)
            yield line
        if found.section(section.name, section.first_line) != section:
            raise backup_altered(f"section {section.name} is not what its digest in line 1 covers")

    def skip(self, section: Section) -> None:
        """Read a section for its digest alone."""
        for _line in self.section(section):
            pass

    def require_end(self) -> None:
        """Demand that nothing follows."""
        if next(self._lines, None) is not None:
            raise backup_altered("something follows the last line of the journal")


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


@contextmanager
def _part_of_backup(what: str) -> Iterator[None]:
    """Whatever is wrong in a part that this program wrote is an alteration of the backup."""
    try:
        yield
    except (SecretRefused, UpgradeNeeded):
        raise
    except InvalidInput as error:
        raise backup_altered(f"{what}: {error.message}") from error


def _manifest(lines: _Lines) -> Manifest:
    line = lines.next()
    try:
        return Manifest.from_line(line)
    except InvalidInput as error:
        if error.code in (Code.UNKNOWN_FORMAT, Code.UPGRADE_NEEDED):
            raise
        raise backup_altered(f"line 1: {error.message}") from error


def _profiles(lines: _Lines, manifest: Manifest) -> dict[str, JsonValue]:
    section = manifest.section(PROFILES)
    if section.lines > MAX_PROFILES:
        raise backup_altered(f"section {PROFILES} has {section.lines} lines, at most {MAX_PROFILES} are written")
    with _part_of_backup(PROFILES):
        return profiles_of(lines.section(section))


def _require_derived(manifest: Manifest, derived: Manifest) -> None:
    """Demand that line 1 is what follows from the journal."""
    for said, found in zip(manifest.sections, derived.sections, strict=True):
        if said.sha256 != found.sha256:
            raise backup_altered(f"section {said.name} is not what the journal beside it says")
    if manifest != derived:
        raise backup_altered("line 1 is not what the journal below it says")


def _against_kept(hashes: Hashes, gov: GovernanceState, expected: Expected) -> list[Finding]:
    """Hold the journal against what was kept elsewhere, and return the warnings.

    Raises:
        Altered: JOURNAL_FORK.
    """
    found = governance_findings(hashes, gov)
    if expected.head is not None and not hashes.holds(expected.head):
        found.append(fork_finding(expected.head, hashes.of_head(len(hashes)) or GENESIS_PREV, len(hashes)))
    found += [one for where, head in expected.kept for one in compare_checkpoint(hashes, gov, head, where)]
    require_clean(refusals(found))
    return found


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
