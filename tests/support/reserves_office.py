"""A holder and an auditor at the real command line: challenge, proofs signed by simulated devices, statement."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from custody.bitcoin.psbt import Psbt
from support.cli import Result, run
from support.rehearsal import Rehearsal


class Holder:
    """A workspace that answers challenges; files lie in `folder`."""

    def __init__(self, office: Rehearsal, folder: Path, devices: Sequence[int] = (1, 2)) -> None:
        self.office = office
        self.devices = tuple(devices)
        """The simulators that sign."""
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def challenge(self, name: str = "challenge", *more: str | Path | int, holder: str = "Ruritania") -> Path:
        """Write a challenge with the office's own view of the chain, standing for the auditor's."""
        file = self.folder / f"{name}.json"
        asked = ["audit", "reserves", "challenge", "--network", "regtest", "--holder", holder, "--purpose", "2026"]
        self.office.json([*asked, "-o", file, *more])
        return file

    def write(self, challenge: Path, route: str = "bip322", name: str = "proofs") -> Any:
        """Write the unsigned proofs into a folder and return the answer."""
        target = self.folder / name
        return self.office.json(
            ["audit", "reserves", "prove", "--challenge", challenge, "--route", route, "-o", target]
        )

    def sign(self, name: str, *devices: int) -> None:
        """Let simulated devices sign every file of a folder, each leaving its own answer beside it."""
        target = self.folder / name
        for path in sorted(target.glob("*.psbt")):
            if "-signed-" in path.stem:
                continue
            for number in devices:
                answer = self.office.device(number).sign(path.read_bytes())
                (target / f"{path.stem}-signed-{number}.psbt").write_bytes(answer)

    def finish(self, challenge: Path, name: str = "proofs", *more: str | Path) -> Result:
        """Take back what was signed and write the statement."""
        signed, statement = self.folder / name, self.statement(name)
        command: Sequence[str | Path] = ["audit", "reserves", "prove", "--challenge", challenge, "--signed", signed]
        return self.office.run([*command, "-o", statement, "--json", *more])

    def statement(self, name: str = "proofs") -> Path:
        """Return where the statement of a folder of proofs is written."""
        return self.folder / f"{name}.statement.json"

    def prove(self, challenge: Path, *more: str | Path, route: str = "bip322", name: str = "proofs") -> Path:
        """Go the whole way and return the statement."""
        self.write(challenge, route, name)
        self.sign(name, *self.devices)
        done = self.finish(challenge, name, *more)
        assert done.exit_code == 0, (done.stdout, done.stderr)
        return self.statement(name)

    def verify(self, *arguments: str | Path | int) -> Result:
        """Verify with the office's own view of the chain."""
        return self.office.run(["audit", "reserves", "verify", *arguments, "--json"])


def verify_elsewhere(*arguments: str | Path | int) -> Result:
    """Verify without any workspace."""
    return run(["audit", "reserves", "verify", *arguments, "--json"])


def unsigned(folder: Path) -> list[Psbt]:
    """Return the proofs of a folder as they were written."""
    return [Psbt.parse(path.read_bytes()) for path in sorted(folder.glob("*.psbt")) if "-signed-" not in path.stem]
