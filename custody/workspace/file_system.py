"""Where a workspace may live: on a disk of this machine, where locks and syncs mean what they say.

SQLite and flock promise nothing on a network file system: two offices could both append. The
mount table is an argument (the text of `/proc/self/mountinfo`, see proc(5)), so that the rule is
testable; where a system has no such table, nothing can be checked and nothing is refused.
"""

import os
import re
from pathlib import Path

from custody.codes import Code
from custody.errors import Conflict

_MOUNT_TABLE = Path("/proc/self/mountinfo")

_NETWORK_TYPES = frozenset({
    "9p", "acfs", "afs", "auristorfs", "beegfs", "ceph", "cifs", "coda", "davfs", "glusterfs", "gpfs", "lustre",
    "ncpfs", "nfs", "nfs4", "orangefs", "prl_fs", "pvfs2", "smb", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs",
    "vmhgfs",
})  # fmt: skip

_LOCAL_FUSE_TYPES = frozenset(
    {"fuse.encfs", "fuse.fuse-overlayfs", "fuse.gocryptfs", "fuse.lxcfs", "fuse.ntfs-3g", "fuse.veracrypt"}
)
"""File systems in user space that keep their bytes on this machine; every other `fuse.…` is refused."""

_ESCAPED = re.compile(r"\\([0-7]{3})")


def read_mount_table() -> str:
    """Return this process's mount table, empty where the system has none."""
    try:
        return _MOUNT_TABLE.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def file_system_type(folder: Path, mount_table: str) -> str | None:
    """Return the type of the file system that holds `folder`, None where the table doesn't say."""
    place = os.path.realpath(folder)
    found, longest = None, -1
    for line in mount_table.splitlines():
        mount_point, kind = _mount(line)
        # `>=`: of two mounts on one folder the later one is on top.
        if kind and _holds(mount_point, place) and len(mount_point) >= longest:
            found, longest = kind, len(mount_point)
    return found


def require_local(folder: Path, mount_table: str) -> None:
    """Refuse a folder on a network file system.

    Raises:
        Conflict: NETWORK_FILE_SYSTEM.
    """
    kind = file_system_type(folder, mount_table)
    if kind is None or not _is_network(kind):
        return
    raise Conflict(
        Code.NETWORK_FILE_SYSTEM,
        f"`{folder}` is on a network file system ({kind})",
        advice="Move the workspace to a disk of this machine; several offices share a journal in PostgreSQL.",
        details={"file_system": kind},
    )


def _is_network(kind: str) -> bool:
    return kind in _NETWORK_TYPES or (kind.startswith("fuse.") and kind not in _LOCAL_FUSE_TYPES)


def _mount(line: str) -> tuple[str, str]:
    """Return mount point and type of one line; both empty where it is none."""
    left, separator, right = line.partition(" - ")
    fields, kinds = left.split(" "), right.split(" ")
    if not separator or len(fields) < 5:
        return "", ""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields[4]), kinds[0]


def _holds(mount_point: str, place: str) -> bool:
    return mount_point == "/" or place == mount_point or place.startswith(mount_point + "/")
