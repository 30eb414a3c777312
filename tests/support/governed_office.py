"""A governed vault driven through the real command line: officers with real SSH keys, a policy, an embedded chain."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from custody.bitcoin.address import script_of
from custody.bitcoin.network import Network
from custody.documents.sshsig_keys import SshKeyType
from support.cli import Result, run, run_json
from support.rehearsal import NOBODY, START_TIME, Rehearsal
from support.ssh import SshKeygen

BLOCKS_PER_HOUR = 6


class GovernedOffice(Rehearsal):
    """A rehearsal whose people sign with keys of their own; `at` names another office's folder."""

    def __init__(self, folder: Path, people: Mapping[str, Sequence[str]], keygen: SshKeygen, **vault: Any) -> None:
        super().__init__(folder, **vault)
        self.people = people
        self.keygen = keygen

    def key(self, name: str) -> Path:
        """Return the path of a person's private key, which only ssh-keygen opens."""
        return self.keygen.key(SshKeyType.ED25519, name)

    def public_key(self, name: str) -> Path:
        """Return the path of a person's public key."""
        return Path(f"{self.key(name)}.pub")

    def as_(
        self, name: str, arguments: Sequence[str | Path | int], *, at: Path | None = None, exit_code: int = 0
    ) -> Any:
        """Run a command as a person, in this office or in another, and return its JSON."""
        return run_json(["--vault", at or self.folder, "--as", name, *arguments], exit_code=exit_code)

    def refused(
        self, name: str, arguments: Sequence[str | Path | int], *, exit_code: int, at: Path | None = None
    ) -> Any:
        """Run a command that must be refused, and return its JSON error."""
        result = self.run_as(name, [*arguments, "--json"], at=at)
        assert result.exit_code == exit_code, (result.exit_code, result.stdout[-2000:], result.stderr)
        return result.error

    def run_as(self, name: str, arguments: Sequence[str | Path | int], *, at: Path | None = None) -> Result:
        """Run a command as a person and return what it left behind."""
        return run(["--vault", at or self.folder, "--as", name, *arguments])

    def found(self, policy: str, folder: Path) -> Any:
        """Name everybody, and let everybody sign the founding."""
        path = folder / "policy.yaml"
        path.write_text(policy, encoding="utf-8")
        keys = tuple((name, tuple(roles), self.public_key(name).read_text()) for name, roles in self.people.items())
        return self.begin(("found", type(self), keys, policy), lambda: self._found(path))

    def _found(self, path: Path) -> Any:
        for name, roles in self.people.items():
            words = [word for role in roles for word in ("--role", role)]
            self.json(["officer", "add", name, *words, "--key", self.public_key(name)])
        founding = self.json(["vault", "found", "--policy", path])
        for name in self.people:
            founding = self.sign_change(name, founding)
        assert founding["status"] == "in-force"
        return founding

    def sign_change(self, name: str, change: Any, *, at: Path | None = None, verb: str = "approve") -> Any:
        """Sign for or against a change."""
        return self.as_(name, ["change", verb, change["change_id"], "--key", self.key(name)], at=at)

    def carry(self, change: Any, *names: str) -> Any:
        """Let officers sign a change, and return it."""
        for name in names:
            change = self.sign_change(name, change)
        return change

    def draft_as(self, name: str, *arguments: str | int) -> Any:
        """Draft at 5 sat/vB, and sign as its drafter."""
        drafted = self.as_(name, ["proposal", "draft", "--fee-rate", "5", *arguments])
        command = ["proposal", "approve", drafted["proposal_id"], "--propose", "--key", self.key(name)]
        return self.as_(name, command)

    def approve(self, name: str, proposal: Any, *, at: Path | None = None) -> Any:
        """Approve a proposal."""
        return self.as_(name, ["proposal", "approve", proposal["proposal_id"], "--key", self.key(name)], at=at)

    def wait(self, hours: int) -> None:
        """Let the chain's time pass, and look at the chain."""
        with self.chain() as chain:
            chain.mine(hours * BLOCKS_PER_HOUR, NOBODY)
        self.json(["coins", "sync"])

    def mine_to(self, addresses: Sequence[str]) -> None:
        """Mine a coin to each address, and bury them."""
        with self.chain() as chain:
            first = START_TIME if chain.tip().height == 0 else None
            for address in addresses:
                chain.mine(1, script_of(address, Network.REGTEST), first_time=first)
                first = None
            chain.mine(105, NOBODY)
        self.json(["coins", "sync"])
