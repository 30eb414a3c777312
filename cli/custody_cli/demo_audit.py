"""The end of the demo: what an auditor asks, what the custodian answers, and the files that both leave.

Everything lands in one folder, `auditor`, as a custodian would hand it over: vault file, journal export, challenge,
statement, public page, and the practice chain's blocks for a node of the auditor's own. The
proofs are the very files that hardware wallets sign; here simulated devices do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from custody import atomic
from custody.vault.vault import Vault
from custody.workspace.layout import VAULT_FILE

AUDIT_FOLDER = "auditor"
CHALLENGE_NAME = "challenge.json"
STATEMENT_NAME = "statement.json"
EXPORT_NAME = "export.jsonl"
BLOCKS_NAME = "blocks.dat"
PAGE_NAME = "page"
PROOFS_NAME = "proofs"
"""In the workspace's own folder: what is signed is of no use to the auditor."""
PROOF_ENDING = ".psbt"

_MAX_PROOF = 16_000_000


@dataclass(frozen=True, slots=True)
class AuditFolder:
    """Where the files for the auditor lie."""

    path: Path

    def file(self, name: str) -> str:
        """Return the path of a file in it, for a command line."""
        return str(self.path / name)

    def make(self, workspace: Path) -> None:
        """Create the folder, with the vault file in it."""
        atomic.make_directory(self.path)
        vault = atomic.read_file(workspace / VAULT_FILE, max_bytes=1_000_000)
        atomic.create_file(self.path / VAULT_FILE, vault)


def sign_folder(vault: Vault, folder: Path, signers: Sequence[int]) -> int:
    """Let simulated devices sign every proof in a folder, each into a file of its own, and return how many did."""
    from custody_hardware.simulator import SimulatedDevice

    with atomic.opened_folder(folder) as opened:
        proofs = {
            name: opened.read(name, max_bytes=_MAX_PROOF) for name in opened.names() if name.endswith(PROOF_ENDING)
        }
        for name, content in proofs.items():
            for number in signers:
                signed = SimulatedDevice(number, vault).sign(content)
                opened.create(f"{name.removesuffix(PROOF_ENDING)}-signed-{number}{PROOF_ENDING}", signed)
    return len(proofs)
