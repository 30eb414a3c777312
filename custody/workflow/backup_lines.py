"""Read a backup line by line: sections with their digests, and every line through the secret gate first.

Digests and counts are compared here. That the sections say what the journal says is `restore_vault`'s business.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from custody import atomic
from custody.audit.backup import (
    MAX_PROFILE_BYTES,
    MAX_PROFILES,
    PROFILES,
    START,
    Manifest,
    Section,
    SectionCount,
    backup_altered,
    profiles_of,
)
from custody.codes import Code
from custody.documents.secret_gate import scan_bytes
from custody.errors import Altered, InvalidInput, JsonValue, SecretRefused, UpgradeNeeded
from custody.workflow.backup_vault import MAX_LINE_BYTES


def is_backup(start: bytes) -> bool:
    """Tell whether a file with these first bytes is a backup of some version."""
    return start.startswith(START)


class BackupLines:
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
            if found.size > section.size:
                raise _not_covered(section)
            yield line
        if found.section(section.name, section.first_line) != section:
            raise _not_covered(section)

    def skip(self, section: Section) -> None:
        """Read a section for its digest alone."""
        for _line in self.section(section):
            pass

    def require_end(self) -> None:
        """Demand that nothing follows."""
        if next(self._lines, None) is not None:
            raise backup_altered("something follows the last line of the journal")

    def manifest(self) -> Manifest:
        """Read line 1.

        Raises:
            Altered: BACKUP_ALTERED. InvalidInput: UNKNOWN_FORMAT. UpgradeNeeded: a later version wrote it.
        """
        line = self.next()
        try:
            return Manifest.from_line(line)
        except InvalidInput as error:
            if error.code in (Code.UNKNOWN_FORMAT, Code.UPGRADE_NEEDED):
                raise
            raise backup_altered(f"line 1: {error.message}") from error

    def profiles(self, section: Section) -> dict[str, JsonValue]:
        """Read the devices' profiles, by model.

        Raises:
            Altered: BACKUP_ALTERED.
        """
        if section.lines > MAX_PROFILES or section.size > MAX_PROFILE_BYTES:
            raise backup_altered(f"section {PROFILES} is larger than any that is written")
        with part_of_backup(PROFILES):
            return profiles_of(self.section(section))


@contextmanager
def part_of_backup(what: str) -> Iterator[None]:
    """Whatever is wrong in a part that this program wrote is an alteration of the backup."""
    try:
        yield
    except (SecretRefused, UpgradeNeeded):
        raise
    except InvalidInput as error:
        raise backup_altered(f"{what}: {error.message}") from error


def _not_covered(section: Section) -> Altered:
    return backup_altered(f"section {section.name} is not what its digest in line 1 covers")
