"""The manifest of a backup (`custody-backup/1`): what the lines of the file are, with their digests.

A backup is a text file. Line 1 is this manifest; then the sections follow in one order, each a run of whole
lines, the journal's export last. Every digest is over the bytes of those lines as they stand there, so that
`sed` and `sha256sum` check a backup without this program, and `tail` takes the journal out of it.

What the manifest says follows from the sections, and the sections `signers` and `labels` follow from the
journal: whoever restores derives all of it again and demands that it is equal. Nothing in it is believed.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from custody.audit.journal_fields import ALTERED_ADVICE
from custody.audit.signers import SignerRecord, Signers
from custody.codes import Code
from custody.documents.canonical_json import canonical, parse_canonical
from custody.documents.format_tag import require_format
from custody.errors import Altered, JsonValue
from custody.spend.document import fields_of, hash_of, integer_of, list_of, text_of

BACKUP_FORMAT = "custody-backup/1"

START = b'{"format":"custody-backup/'
"""How every version begins."""

MAX_MANIFEST_BYTES = 16_000
MAX_PROFILES = 100
MAX_PROFILE_BYTES = 10_000_000
"""Of all profiles together: they alone are held in memory while a backup is read."""

VAULT, PROFILES, SIGNERS, LABELS, JOURNAL = "vault", "profiles", "signers", "labels", "journal"
SECTIONS = (VAULT, PROFILES, SIGNERS, LABELS, JOURNAL)
"""In the order in which they stand in the file."""


ProfileSource = Callable[[str], JsonValue]
"""Takes the id of a device, returns its profile as a document, None where it is unknown."""


@dataclass(frozen=True, slots=True)
class Section:
    """A run of lines in the file."""

    name: str
    first_line: int
    """Counted from 1; where the section is empty, the line that would be its first."""
    lines: int
    size: int
    """Bytes, line feeds included; `bytes` in the document."""
    sha256: str
    """Of these bytes."""

    def to_document(self) -> dict[str, JsonValue]:
        """Return the section as it stands in the manifest."""
        return {
            "name": self.name,
            "first_line": self.first_line,
            "lines": self.lines,
            "bytes": self.size,
            "sha256": self.sha256,
        }

    @classmethod
    def from_document(cls, value: JsonValue, what: str = "a section") -> "Section":
        """Read a section, strictly."""
        found = fields_of(value, what, ("name", "first_line", "lines", "bytes", "sha256"))
        return cls(
            name=text_of(found["name"], f"{what}.name"),
            first_line=integer_of(found["first_line"], f"{what}.first_line"),
            lines=integer_of(found["lines"], f"{what}.lines"),
            size=integer_of(found["bytes"], f"{what}.bytes"),
            sha256=hash_of(found["sha256"], f"{what}.sha256"),
        )


class SectionCount:
    """A section while its lines go by: nothing of them is kept."""

    def __init__(self) -> None:
        self._lines = 0
        self._size = 0
        self._hash = hashlib.sha256()

    @classmethod
    def of(cls, lines: Iterable[bytes]) -> "SectionCount":
        """Count lines that are all there."""
        count = cls()
        for line in lines:
            count.add(line)
        return count

    def add(self, line: bytes) -> None:
        """Count one more line, with its line feed."""
        self._lines += 1
        self._size += len(line)
        self._hash.update(line)

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._size

    @property
    def sha256(self) -> str:
        """Digest of the bytes so far."""
        return self._hash.hexdigest()

    def section(self, name: str, first_line: int) -> Section:
        """Return what was counted."""
        return Section(name, first_line, self._lines, self._size, self.sha256)


@dataclass(frozen=True, slots=True)
class Manifest:
    """Line 1 of a backup."""

    vault_id: str
    vault_name: str
    network: str
    journal_id: str
    entries: int
    head: str
    """Hash of the newest entry."""
    time: str
    """The writer's clock in that entry: for people."""
    sections: tuple[Section, ...]

    def section(self, name: str) -> Section:
        """Return one of `SECTIONS`."""
        return self.sections[SECTIONS.index(name)]

    def to_line(self) -> bytes:
        """Return the manifest as its line in the file: canonical, with a line feed."""
        document: dict[str, JsonValue] = {
            "format": BACKUP_FORMAT,
            "vault_id": self.vault_id,
            "vault_name": self.vault_name,
            "network": self.network,
            "journal": {"journal_id": self.journal_id, "entries": self.entries, "head": self.head, "time": self.time},
            "sections": [section.to_document() for section in self.sections],
        }
        return canonical(document) + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Manifest":
        """Read a manifest that is right to the byte.

        Raises:
            InvalidInput: UNKNOWN_FORMAT, MALFORMED_DOCUMENT, UNKNOWN_FIELD. UpgradeNeeded: a later format.
        """
        document = parse_canonical(line.removesuffix(b"\n"), max_bytes=MAX_MANIFEST_BYTES)
        require_format(document, BACKUP_FORMAT, "the backup", advice="Give a file that `custody vault backup` wrote.")
        found = fields_of(
            document, "the manifest", ("format", "vault_id", "vault_name", "network", "journal", "sections")
        )
        journal = fields_of(found["journal"], "journal", ("journal_id", "entries", "head", "time"))
        return cls(
            vault_id=hash_of(found["vault_id"], "vault_id"),
            vault_name=text_of(found["vault_name"], "vault_name"),
            network=text_of(found["network"], "network"),
            journal_id=text_of(journal["journal_id"], "journal_id"),
            entries=integer_of(journal["entries"], "entries"),
            head=hash_of(journal["head"], "head"),
            time=text_of(journal["time"], "time"),
            sections=_sections(found["sections"]),
        )


def placed(counts: Mapping[str, SectionCount]) -> tuple[Section, ...]:
    """Return the sections in their order, each with the line that it begins at; line 1 is the manifest."""
    sections: list[Section] = []
    line = 2
    for name in SECTIONS:
        section = counts[name].section(name, line)
        sections.append(section)
        line += section.lines
    return tuple(sections)


def signer_lines(signers: Signers) -> list[bytes]:
    """Return what is known of each cosigner's device, one line each, in the order of their names."""
    return [
        canonical({"cosigner": name, **_signer_document(record)}) + b"\n"
        for name, record in sorted(signers.records.items())
    ]


def device_ids(signers: Signers) -> tuple[str, ...]:
    """Return the ids of the device profiles that the journal names, each once, in order."""
    named = [
        said.device
        for record in signers.records.values()
        for said in (record.description, record.registration, record.check)
        if said is not None
    ]
    return tuple(sorted(set(named)))


def profile_lines(named: Iterable[str], profile_of: ProfileSource) -> list[bytes]:
    """Return the profiles of the devices that the journal names, one line each; what is unknown is left out."""
    found = ((one, profile_of(one)) for one in named)
    return [canonical({"id": one, "profile": profile}) + b"\n" for one, profile in found if profile is not None]


def profiles_of(lines: Iterable[bytes]) -> dict[str, JsonValue]:
    """Read what `profile_lines` wrote.

    Raises:
        InvalidInput: a line is not canonical, or not a profile with its id.
    """
    profiles: dict[str, JsonValue] = {}
    for line in lines:
        found = fields_of(parse_canonical(line.removesuffix(b"\n")), "a profile's line", ("id", "profile"))
        profiles[text_of(found["id"], "id")] = found["profile"]
    return profiles


def backup_altered(message: str) -> Altered:
    """Return the error of a backup that is not what was written."""
    return Altered(Code.BACKUP_ALTERED, message, advice=ALTERED_ADVICE)


def _sections(value: JsonValue) -> tuple[Section, ...]:
    sections = list_of(Section.from_document, value, "sections")
    if tuple(section.name for section in sections) != SECTIONS:
        raise backup_altered(f"the sections are not {', '.join(SECTIONS)}")
    line = 2
    for section in sections:
        if section.first_line != line:
            raise backup_altered(f"section {section.name} begins at line {section.first_line}, expected {line}")
        line += section.lines
    return sections


def _signer_document(record: SignerRecord) -> dict[str, JsonValue]:
    said, registered, checked = record.description, record.registration, record.check
    return {
        "description": None
        if said is None
        else {
            "device": said.device,
            "firmware": said.firmware,
            "seed_firmware": said.seed_firmware,
            "custodian": said.custodian,
            "place": said.place,
            "qr_dialect": said.qr_dialect,
        },
        "registration": None
        if registered is None
        else {
            "device": registered.device,
            "firmware": registered.firmware,
            "method": registered.method,
            "name": registered.name,
            "policy_id": registered.policy_id,
            "token": None if registered.token is None else registered.token.hex(),
        },
        "check": None
        if checked is None
        else {
            "device": checked.device,
            "firmware": checked.firmware,
            "route": checked.route,
            "unsigned_txid": checked.unsigned_txid,
        },
        "mismatches": [{"what": one.what, "expected": one.expected, "got": one.got} for one in record.mismatches],
    }
