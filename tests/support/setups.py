"""A setup by BIP 129 through the real command line: a coordinator, and signers with simulated devices."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.network import Network
from custody.vault.bsms_cipher import seal, unseal
from custody.vault.bsms_token import Token
from custody_hardware.simulator import simulated_key
from support.cli import Result, run

NAMES = ("ann", "bo", "cy")


def own_key(number: int, script_type: ScriptType = ScriptType.WSH_SORTEDMULTI) -> str:
    """Return the key of simulated device `number` on regtest."""
    return simulated_key(number, Network.REGTEST, script_type).to_text(Network.REGTEST)


class Setup:
    """A coordinator's setup of `names`, whose devices are simulators 1, 2, 3, …"""

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "setup",
        names: Sequence[str] = NAMES,
        threshold: int = 2,
        encryption: str = "extended",
        network: str = "regtest",
        options: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.directory = folder / name
        self.names = tuple(names)
        self.encryption = encryption
        self.suffix = ".bsms" if encryption == "none" else ".dat"
        asked = [part for cosigner in names for part in ("--cosigner", cosigner)]
        terms = ["--name", "reserve", "--network", network, "--threshold", threshold, "--encryption", encryption]
        self.begun = run(["cosigner", "request", self.directory, *terms, *asked, *options, "--json"])
        assert self.begun.exit_code == 0, self.begun.stderr

    def token(self, name: str) -> Token:
        """Return a cosigner's token."""
        return Token.from_text((self.directory / "tokens" / f"{name}.token").read_text())

    def desk(self, name: str) -> Path:
        """Return a signer's own folder with the request and the token in it."""
        desk = self.folder / f"{name}-desk"
        desk.mkdir(exist_ok=True)
        shutil.copy(self.directory / "requests" / f"{name}-request.yaml", desk / "request.yaml")
        shutil.copy(self.directory / "tokens" / f"{name}.token", desk / "token")
        return desk

    def given(self, name: str) -> list[str | Path]:
        """Return the options that a signer gives in both rounds."""
        desk = self.desk(name)
        return ["--request", desk / "request.yaml", "--token-file", desk / "token"]

    def record(self, name: str, *options: str | Path | int) -> Result:
        """Let a signer's simulated device answer; the record is `key_file(name)`."""
        number = self.names.index(name) + 1
        answered = ["cosigner", "record", *self.given(name), "--simulator", number, "-o", self.key_file(name)]
        return run([*answered, *options, "--json"])

    def key_file(self, name: str) -> Path:
        """Return where a signer's key record is written."""
        return self.folder / f"{name}-desk" / f"{name}-key{self.suffix}"

    def accept(self, *files: str | Path) -> Result:
        """Let the coordinator take key records."""
        return run(["cosigner", "accept", self.directory, *files, "--json"])

    def complete(self) -> Result:
        """Run round 1 and the coordinator's part of round 2."""
        for name in self.names:
            answered = self.record(name)
            assert answered.exit_code == 0, answered.stderr
        accepted = self.accept(*(f"{name}={self.key_file(name)}" for name in self.names))
        assert accepted.exit_code == 0, accepted.stderr
        return accepted

    def descriptor_record(self, name: str) -> Path:
        """Return a cosigner's descriptor record."""
        return self.directory / "records" / f"{name}-vault{self.suffix}"

    def bend(self, name: str, file: Path, old: str, new: str) -> Path:
        """Write `file` again as somebody who knows the token: decrypted, changed, and sealed under it."""
        plaintext = unseal(self.token(name), file.read_bytes()).decode()
        assert old in plaintext
        target = self.folder / f"bent-{file.name}"
        target.write_bytes(seal(self.token(name), plaintext.replace(old, new, 1).encode()))
        return target

    def take(self, name: str, record: Path | None = None, *options: str | Path, key: str | None = None) -> Result:
        """Let a signer import their descriptor record, or another file, in round 2."""
        number = self.names.index(name) + 1
        source = record if record is not None else self.descriptor_record(name)
        target = self.desk(name) / "reserve"
        own = ["--own-key", own_key(number) if key is None else key]
        return run(["vault", "import", source, target, *self.given(name), *own, *options, "--json"])
