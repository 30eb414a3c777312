"""Replay an exported journal on a machine that has nothing else, check all of it again, and list everything found.

Checked are the lines and the chain, what each entry means on those before it, every SSH signature, every signature of
a payment by both engines, rehearsals, nonces, each decision at the gate that an entry says it passed, observations
against what the journal itself proves, and what was kept elsewhere. Nothing stops it: after a break the chain begins
anew, an entry that can't be folded counts for nothing, and each finding has its entry and line.

Stricter than `journal verify`, which must not let one false entry stop an office: here an entry that claims authority
and has none refuses, because this program never writes one. Memory grows with the state, not with the file.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from custody.audit.journal import GENESIS_PREV, fork_finding, require_hash
from custody.audit.journal_anchors import LineReader, ReadLine
from custody.audit.journal_fields import ALTERED_ADVICE
from custody.bitcoin import kernel
from custody.codes import Code
from custody.errors import Altered, Finding, InvalidInput, Severity
from custody.ports import Progress, no_progress
from custody.vault.vault import Vault
from custody.workflow.audit_entries import EntryAudit
from custody.workflow.audited import Findings, JournalAudit, Placed
from custody.workflow.checkpoint import Hashes, compare_checkpoint
from custody.workflow.export_file import ExportFile
from custody.workflow.open_export import vault_finding
from custody.workflow.verify_journal import Kept


@dataclass(frozen=True, slots=True)
class Beside:
    """What an auditor has from elsewhere; each is compared where it is there."""

    vault: Vault | None = None
    head: str | None = None
    kept: Kept = ()
    """Signed checkpoints, each with the name of its file."""


def audit_journal(path: Path, beside: Beside, *, progress: Progress = no_progress) -> JournalAudit:
    """Check an export or a backup whole.

    Raises:
        InvalidInput: the file can't be read; UNKNOWN_FORMAT, no line of it begins as an entry does.
        SecretRefused: something in it looks like a private key.
        UpgradeNeeded: a later version wrote the backup. UsageError: the expected head is no hash.
    """
    if beside.head is not None:
        require_hash(beside.head)
    found = Findings()
    reading = _Reading(found, EntryAudit(found, beside.vault))
    file = ExportFile(path, progress)
    try:
        for number, line in file.lines():
            reading.take(number, line)
        if reading.entries.vault is not None:
            file.require_said(reading.entries.vault.vault_id, reading.count, reading.head)
    except Altered as error:
        found.add(Finding(error.code, Severity.REFUSE, "file", error.message, error.advice), seq=None)
    if reading.count == 0 and reading.is_foreign:
        raise InvalidInput(
            Code.UNKNOWN_FORMAT,
            f"`{path}` is no journal: no line of it begins as an entry does",
            advice="Give what `custody journal export` or `custody vault backup` wrote.",
        )
    if reading.count == 0 and not found.placed:
        words = "the file holds no entry: it is no journal"
        found.add(Finding(Code.JOURNAL_ALTERED, Severity.REFUSE, "file", words, ALTERED_ADVICE), seq=None)
    reading.entries.finish(progress)
    return reading.answer(beside)


@dataclass(slots=True)
class _Reading:
    """Reads line by line: the chain, and the hashes for what was kept elsewhere; the entries have their own judge."""

    found: Findings
    entries: EntryAudit
    count: int = 0
    head: str = GENESIS_PREV
    journal_id: str | None = None
    by_kind: Counter[str] = field(default_factory=Counter)
    reader: LineReader = field(default_factory=LineReader)
    hashes: bytearray = field(default_factory=bytearray)
    """32 bytes a position; zeros where an entry is missing or says no hash."""

    is_foreign: bool = False
    """Whether there are lines, and none of them begins as an entry does: another file was given."""

    def take(self, number: int, line: bytes) -> None:
        """Judge the next line."""
        self.is_foreign = not line.startswith(b"{") and (self.is_foreign or number == 1)
        read = self.reader.read(line)
        kind = None if read.entry is None else read.entry.kind
        for words in read.problems:
            if self.found.first_break is None:
                self.found.first_break = read.seq
            finding = Finding(Code.JOURNAL_ALTERED, Severity.REFUSE, f"entry:{read.seq}", words, ALTERED_ADVICE)
            self.found.add(finding, seq=read.seq, line=number, kind=kind)
        self._keep_hash(read)
        if read.entry is None:
            return
        self.count += 1
        self.head = read.claimed_hash or read.entry.hash
        self.journal_id = self.journal_id or read.entry.journal_id
        self.by_kind[read.entry.kind] += 1
        self.entries.take(read.entry, number)

    def _keep_hash(self, read: ReadLine) -> None:
        place = read.seq * 32
        if place < len(self.hashes) or place > len(self.hashes) + 32 * (self.count + 1_000):
            return  # a position that was there before, or so far ahead that only a forger names it
        claimed = bytes(32) if read.claimed_hash is None else bytes.fromhex(read.claimed_hash)
        self.hashes += bytes(place - len(self.hashes)) + claimed

    def answer(self, beside: Beside) -> JournalAudit:
        """Compare with what was kept elsewhere, and return everything."""
        vouched = self._against_kept(beside)
        vault = self.entries.vault
        mismatch = None if vault is None else vault_finding(vault, beside.vault)
        if mismatch is not None:
            self.found.add(mismatch, seq=0, line=None, kind=None)
        return JournalAudit(
            count=self.count,
            head=self.head,
            journal_id=self.journal_id,
            vault_id=None if vault is None else vault.vault_id,
            vault_name=None if vault is None else vault.name,
            findings=tuple(sorted(self.found.placed, key=_order)),
            unlisted=self.found.unlisted,
            by_code=self.found.by_code,
            by_kind=self.by_kind,
            checked=self.entries.checked,
            first_break=self.found.first_break,
            vouched_through=max(vouched, default=None),
            kernel_verified=kernel.is_available(),
        )

    def _against_kept(self, beside: Beside) -> list[int]:
        """Hold the journal against head and checkpoints; return the entries through which each vouches for it."""
        hashes, fitting = Hashes(bytes(self.hashes)), list[int]()
        if beside.head is not None:
            if hashes.holds(beside.head):
                fitting.append(hashes.packed.find(bytes.fromhex(beside.head)) // 32)
            else:
                self.found.add(fork_finding(beside.head, self.head, self.count), seq=None)
        self.entries.hold_against(hashes)
        for where, head in beside.kept:
            against = compare_checkpoint(hashes, self.entries.governance, head, where)
            for finding in against:
                self.found.add(finding, seq=head.length - 1)
            if not against:
                fitting.append(head.length - 1)
        broken = self.found.first_break
        return [one for one in fitting if one >= 0 and (broken is None or one < broken)]


def _order(placed: Placed) -> tuple[int, int]:
    return (-1 if placed.seq is None else placed.seq, 0 if placed.line is None else placed.line)
