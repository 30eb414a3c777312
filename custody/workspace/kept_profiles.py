"""Profiles of signers' devices that a restored backup brought into the workspace: for models unknown to this version.

Written once, by a restore. Nothing that is signed or approved rests on them: they say how a model is spoken to.
"""

from collections.abc import Mapping, Sequence

from custody.atomic import create_file_from, read_file
from custody.audit.backup import MAX_PROFILE_BYTES, profiles_of
from custody.codes import Code
from custody.errors import CustodyError, InvalidInput, JsonValue
from custody.workspace.layout import Workspace


def keep_profiles(workspace: Workspace, lines: Sequence[bytes]) -> None:
    """Write the lines of a backup's section, if there are any."""
    if lines:
        create_file_from(workspace.device_profiles, lines)


def kept_profiles(workspace: Workspace) -> Mapping[str, JsonValue]:
    """Return the kept documents by model; none where no backup brought any.

    Raises:
        InvalidInput: the file can't be read, or is not what a restore wrote.
    """
    try:
        data = read_file(workspace.device_profiles, max_bytes=MAX_PROFILE_BYTES)
    except CustodyError as error:
        if error.code is Code.FILE_NOT_FOUND:
            return {}
        raise
    if not data.endswith(b"\n"):
        raise _unreadable(workspace, "it was cut short")
    try:
        return profiles_of(line + b"\n" for line in data.split(b"\n")[:-1])
    except InvalidInput as error:
        raise _unreadable(workspace, error.message) from error


def _unreadable(workspace: Workspace, why: str) -> InvalidInput:
    place = workspace.device_profiles
    return InvalidInput(
        Code.MALFORMED_DOCUMENT,
        f"`{place}` is not what a restore wrote: {why}",
        advice="Somebody changed it: find out who. Nothing that is signed or approved rests on it, so move it away to "
        f"go on: only devices that this version does not know are then unknown again. To have it back, restore the "
        f"backup into another folder and copy `{place.name}` from there.",
    )
