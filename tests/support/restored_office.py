"""An office that lost its workspace and works on in one that was made from a backup."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from custody.audit.state import State
from custody.workflow.office import Event, Surroundings, editing, open_office
from custody.workspace.layout import Workspace
from support.governed_office import GovernedOffice
from support.ledger import START_MTP, nonce


class RestoredOffice(GovernedOffice):
    """The same people and devices in another folder. The chain goes on as a node of its own would."""

    def __init__(self, first: GovernedOffice, folder: Path) -> None:
        self.folder = folder
        self.vault = first.vault
        self.people = first.people
        self.keygen = first.keygen
        shutil.copytree(first.folder / "chain" / "embedded", folder / "chain" / "embedded")


@dataclass
class FixedSurroundings:
    """A clock that stands and nonces that count."""

    start: int = 0

    def now(self) -> int:
        """Return Unix seconds."""
        return START_MTP

    def nonce(self) -> str:
        """Return 32 hex characters."""
        self.start += 1
        return nonce(0xB0B0_0000 + self.start)


def record(folder: Path, events: Sequence[Event]) -> None:
    """Append events that no command of this version writes yet."""
    fixed = FixedSurroundings()
    with editing(Workspace(folder), Surroundings(fixed, fixed, "ann")) as desk:
        desk.record(events)


def state_of_folder(folder: Path) -> State:
    """Return the fold of a workspace's journal."""
    return open_office(Workspace(folder)).state


DESCRIBED: Sequence[Event] = (
    (
        "cosigner_described",
        {
            "cosigner": "c1",
            "device": "ledger",
            "firmware": "2.2.3",
            "seed_firmware": "2.1.0",
            "custodian": "Ada",
            "place": "vault room 1",
            "qr_dialect": None,
        },
    ),
    (
        "device_registered",
        {
            "cosigner": "c1",
            "device": "ledger",
            "firmware": "2.2.3",
            "method": "policy",
            "name": "rehearsal",
            "policy_id": "ab" * 32,
            "token": "cd" * 32,
        },
    ),
    (
        "device_checked",
        {"cosigner": "c1", "device": "ledger", "firmware": "2.2.3", "route": "usb", "unsigned_txid": "ef" * 32},
    ),
    (
        "cosigner_described",
        {
            "cosigner": "c2",
            "device": "keystone-3",
            "firmware": None,
            "seed_firmware": None,
            "custodian": None,
            "place": None,
            "qr_dialect": "ur",
        },
    ),
    ("device_mismatch", {"cosigner": "c2", "what": "address", "expected": "bcrt1qmine", "got": "bcrt1qother"}),
)
"""Two devices as their custodians and commands would have told of them."""
