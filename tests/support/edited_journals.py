"""A governed journal made through the real command line, and the hand of somebody who edits its export."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from custody.audit.journal import GENESIS_PREV
from custody.documents.canonical_json import canonical
from support.cli import run_json
from support.governed import policy_text
from support.governed_office import GovernedOffice
from support.rehearsal import stranger
from support.ssh import SshKeygen

PEOPLE = {
    "dora": ("drafter", "signer"),
    "ann": ("administrator", "approver"),
    "bo": ("administrator", "approver"),
    "cy": ("board", "signer"),
    "audrey": ("auditor",),
}

Entries = list[dict[str, Any]]


def audited_office(folder: Path, keygen: SshKeygen) -> GovernedOffice:
    """Found a 2-of-3, let it pay, freeze and unfreeze a coin, and draft again.

    A checkpoint is signed after the first payment (`checkpoint.json` beside the office), the export lies beside it too.
    """
    office = GovernedOffice(folder / "office", PEOPLE, keygen)
    office.found(policy_text(unlisted="routine"), folder)
    office.mine_to([office.json(["address", "next", "--label", f"pool {one}"])["address"] for one in range(4)])
    paid = office.draft_as("dora", "--to", f"{stranger(1)}=20btc", "--reason", "first")
    _approve_and_send(office, paid, "ann", "bo", "cy")
    office.as_("audrey", ["journal", "checkpoint", "--key", office.key("audrey"), "-o", folder / "checkpoint.json"])
    coin = next(one for one in office.json(["coins", "list"])["coins"] if one["branch"] == "receive")
    outpoint = f"{coin['txid']}:{coin['vout']}"
    office.json(["coins", "freeze", outpoint, "--reason", "asked for"])
    office.carry(office.as_("ann", ["coins", "unfreeze", outpoint, "--reason", "answered"]), "ann", "bo")
    second = office.draft_as("dora", "--to", f"{stranger(2)}=3btc", "--reason", "second")
    _approve_and_send(office, second, "ann", "bo")
    third = office.draft_as("dora", "--to", f"{stranger(3)}=1btc", "--reason", "third", "--hold")
    office.approve("ann", third)
    office.json(["address", "next", "--label", "last"])
    office.json(["journal", "export", "-o", folder / "export.jsonl"])
    return office


def _approve_and_send(office: GovernedOffice, proposal: Any, *names: str) -> None:
    for name in names:
        office.approve(name, proposal)
    office.send(proposal, 1, 2)
    office.wait(1)


@dataclass
class Export:
    """An export as objects, to be edited."""

    entries: Entries

    @classmethod
    def read(cls, path: Path) -> "Export":
        """Read an export."""
        return cls([json.loads(line) for line in path.read_bytes().splitlines()])

    def all(self, kind: str, where: Callable[[dict[str, Any]], bool] = lambda _body: True) -> list[int]:
        """Return the positions of the entries of a kind whose body fits."""
        return [at for at, one in enumerate(self.entries) if one["kind"] == kind and where(one["body"])]

    def first(self, kind: str, where: Callable[[dict[str, Any]], bool] = lambda _body: True) -> int:
        """Return the position of the first of them."""
        return self.all(kind, where)[0]

    def body(self, at: int) -> dict[str, Any]:
        """Return the body of an entry, to be changed."""
        found: dict[str, Any] = self.entries[at]["body"]
        return found

    def insert(self, at: int, kind: str, body: dict[str, Any], *, actor: str | None = "ann") -> None:
        """Put in an entry, like its neighbour in all else."""
        self.entries.insert(at, {**self.entries[at - 1], "kind": kind, "body": body, "actor": actor})

    def rehash(self) -> "Export":
        """Make every position, link and hash right again, as somebody does who can write the whole file."""
        prev = GENESIS_PREV
        for seq, entry in enumerate(self.entries):
            entry.pop("hash", None)
            entry.update(seq=seq, prev=prev)
            prev = entry["hash"] = sha256(canonical(entry)).hexdigest()
        return self

    def write(self, path: Path) -> Path:
        """Write the lines as an export has them."""
        path.write_bytes(b"".join(canonical(one) + b"\n" for one in self.entries))
        return path


def audit(path: Path, *words: str | Path, exit_code: int) -> Any:
    """Run `custody audit journal` and return its JSON."""
    return run_json(["audit", "journal", path, *words], exit_code=exit_code)


def places(answer: Any, *, severity: str = "refuse") -> list[tuple[str, int | None]]:
    """Return code and entry of each finding of a severity."""
    return [(one["code"], one["entry"]) for one in answer["findings"] if one["severity"] == severity]
