"""Backups as an attacker would write them: parts changed, and every digest made right again."""

from collections.abc import Callable, Mapping, Sequence

from custody.audit.backup import JOURNAL, LABELS, PROFILES, SECTIONS, SIGNERS, VAULT, SectionCount, signer_lines
from custody.audit.fold import fold
from custody.audit.journal import Entry
from custody.documents.canonical_json import canonical
from custody.vault.vault import Vault
from custody.workflow.backup_vault import label_lines, manifest_of

Sections = dict[str, list[bytes]]


def sections_of(entries: Sequence[Entry]) -> Sections:
    """Return the lines of each section as this program writes them; no device profiles."""
    state = fold(entries)
    vault = Vault.from_document(dict(state.vault_document))
    return {
        VAULT: [canonical(vault.to_document()) + b"\n"],
        PROFILES: [],
        SIGNERS: signer_lines(state.signers),
        LABELS: label_lines(state),
        JOURNAL: [entry.export_line() for entry in entries],
    }


def backup_of(
    entries: Sequence[Entry], change: Callable[[Sections], None] = lambda _sections: None, *, vault: Vault | None = None
) -> bytes:
    """Return a backup of a journal, after `change` had its hand in the sections; line 1 fits them."""
    sections = sections_of(entries)
    change(sections)
    named = vault or Vault.from_document(dict(fold(entries).vault_document))
    counts: Mapping[str, SectionCount] = {name: SectionCount.of(sections[name]) for name in SECTIONS}
    manifest = manifest_of(named, entries[-1], counts)
    return manifest.to_line() + b"".join(line for name in SECTIONS for line in sections[name])
