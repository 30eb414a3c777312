"""An exported journal, or a backup that ends with one, read line by line: one line is in memory at a time.

Every line passes the secret gate before anything else sees it. Of a backup the digests of its sections are
compared on the way and its first line with the journal at the end; what the entries mean is the fold's business.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from custody import atomic
from custody.audit.backup import JOURNAL, LABELS, PROFILES, SIGNERS, START, VAULT, Manifest, backup_altered
from custody.audit.journal import Entry, Inspector
from custody.documents.secret_gate import scan_bytes
from custody.errors import Finding
from custody.ports import Progress, no_progress
from custody.workflow.backup_lines import BackupLines, is_backup
from custody.workflow.backup_vault import MAX_LINE_BYTES

_REPORT_EVERY = 1_000


class ExportFile:
    """A file that holds a journal; it is opened anew for each reading."""

    def __init__(self, path: Path, progress: Progress = no_progress) -> None:
        self.path = path
        self.manifest: Manifest | None = None
        """Line 1 where it is a backup; known once reading has begun."""
        self._progress = progress

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the journal's lines as they stand in the file, each with its number there, from 1.

        Raises:
            Altered: BACKUP_ALTERED, a digest or the end of a backup is wrong. InvalidInput: no plain file, a line too
                long. SecretRefused: a line holds what looks like a private key. UpgradeNeeded: a later backup.
        """
        backup = is_backup(atomic.read_start(self.path, len(START)))
        found = self._of_backup() if backup else self._of_export()
        for done, numbered in enumerate(found):
            if done % _REPORT_EVERY == 0:
                self._progress("entries of the journal", done, 0 if self.manifest is None else self.manifest.entries)
            yield numbered

    def inspect_each(self) -> Iterator[Entry | Finding]:
        """Yield each entry, and before it what is wrong there, at `line:N`; nothing is kept. Raises as `lines`."""
        inspector = Inspector()
        for number, line in self.lines():
            yield from inspector.judge(f"line:{number}", partial(Entry.from_export_line, line))

    def require_said(self, vault_id: str, count: int, head: str) -> None:
        """Demand that a backup's first line says what its journal shows.

        Raises:
            Altered: BACKUP_ALTERED.
        """
        said = self.manifest
        if said is not None and (said.vault_id, said.entries, said.head) != (vault_id, count, head):
            raise backup_altered("line 1 is not what the journal below it says")

    def _of_export(self) -> Iterator[tuple[int, bytes]]:
        lines = atomic.read_lines(self.path, max_line_bytes=MAX_LINE_BYTES)
        for number, line in enumerate(lines, start=1):
            scan_bytes(line, place=f"line {number} of `{self.path}`")
            yield number, line

    def _of_backup(self) -> Iterator[tuple[int, bytes]]:
        lines = BackupLines(self.path)
        self.manifest = manifest = lines.manifest()
        for name in (VAULT, PROFILES, SIGNERS, LABELS):
            lines.skip(manifest.section(name))
        section = manifest.section(JOURNAL)
        yield from enumerate(lines.section(section), start=section.first_line)
        lines.require_end()
