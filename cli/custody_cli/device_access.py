"""Which bus reaches the devices, and which vault and journal stand behind a device command.

`custody.yaml` names a program that speaks Bitcoin Core's external-signer commands, or else HWI is asked
in a process of its own. Nothing is searched for on USB unless a device command is run.
"""

import os
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from custody.audit.signers import Signers
from custody.codes import Code
from custody.errors import CustodyError, DeviceUnavailable, InvalidInput
from custody.ports import SignerBus
from custody.vault.vault import Vault
from custody.workflow.device_facts import Profiles
from custody.workflow.device_record import Recorder, record_nothing
from custody.workflow.office import Desk, Event, open_office
from custody.workflow.recorded_rehearsals import verified_signers
from custody.workspace.settings import load_settings
from custody.workspace.signer_settings import SignerSettings
from custody_cli.device_memory import profiles_of_workspace
from custody_cli.loading import load_vault_at, workspace_of
from custody_cli.session import Session
from custody_cli.steps import at_desk
from custody_hardware.device_profiles import load_profiles

SETTINGS_FILE = "custody.yaml"


@dataclass(frozen=True, slots=True)
class AtHand:
    """The vault of a device command, what its journal says of devices, and how to add to that."""

    vault: Vault
    signers: Signers
    """With the checks that a signature proves, and no others."""
    record: Recorder
    profiles: Profiles
    has_journal: bool


def at_hand(session: Session, vault_file: str | None) -> AtHand:
    """Return the workspace's vault with its journal, or the vault of a file, which has none.

    Raises:
        InvalidInput: VAULT_NOT_FOUND, and all that a vault file is refused for.
    """
    if vault_file is not None:
        return AtHand(load_vault_at(vault_file), Signers(), record_nothing, load_profiles(), has_journal=False)
    workspace = workspace_of(session)
    office = open_office(workspace)

    def record(events: Sequence[Event]) -> None:
        def step(desk: Desk) -> None:
            desk.record(events)

        at_desk(session, step)

    signers = verified_signers(office.vault, office.state.signers)
    return AtHand(office.vault, signers, record, profiles_of_workspace(workspace), has_journal=True)


def at_hand_or_none(session: Session, vault_file: str | None) -> AtHand | None:
    """Return what `at_hand` does, None where there is no vault at all."""
    try:
        return at_hand(session, vault_file)
    except CustodyError as error:
        if error.code is Code.VAULT_NOT_FOUND and vault_file is None and session.vault_directory is None:
            return None
        raise


def signer_bus(session: Session) -> SignerBus:
    """Return the bus that this office's settings name.

    Raises:
        InvalidInput: the settings are not what this version knows.
    """
    from custody_hardware.open_bus import open_bus  # only who asks a device pays for it

    has_terminal = sys.stdin is not None and sys.stdin.isatty()
    signer = _signer(session)
    return open_bus(signer, ask_hidden=_ask_hidden if has_terminal else None)


def _signer(session: Session) -> SignerSettings | None:
    """Return what the settings say of signers, and tell which program of theirs is about to be started.

    Before there is a vault they are those of a `custody.yaml` in this folder.
    """
    try:
        path = workspace_of(session).custody_yaml
    except CustodyError as error:
        if error.code is not Code.VAULT_NOT_FOUND or session.vault_directory is not None:
            raise
        path = Path.cwd() / SETTINGS_FILE
    signer = load_settings(path).signer
    if signer is None:
        return None
    _require_own(path)
    words = signer.command or (() if signer.python is None else (str(signer.python),))
    if words:
        session.talk(f"`{path}` names the program that is started: {' '.join(words)}")
    return signer


def _require_own(path: Path) -> None:
    """Refuse to start a program that somebody else could have named: on a card, in a shared folder.

    Raises:
        InvalidInput: PATH_UNSAFE.
    """
    about = path.stat()
    if about.st_uid not in (os.geteuid(), 0) or about.st_mode & stat.S_IWOTH:
        raise InvalidInput(
            Code.PATH_UNSAFE,
            f"`{path}` names the signer's program, and belongs to somebody else or may be written by anybody",
            advice="Look at what it names; make the file your own (`chown`, `chmod o-w`) if that is right.",
        )


def _ask_hidden(prompt: str) -> str:
    """Read a PIN or passphrase from the terminal with echo off; it goes into the driver's pipe and is forgotten."""
    import getpass

    try:
        typed = getpass.getpass(prompt)
    except EOFError:
        typed = ""
    if not typed:
        raise DeviceUnavailable(
            Code.DEVICE_LOCKED, "nothing was typed: the device stays locked", advice="Run the command again."
        )
    return typed
