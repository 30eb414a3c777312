"""The end of the demo: what an auditor asks, what the custodian answers, and the files that both leave.

Everything lands in one folder, `auditor`, as a custodian would hand it over: vault file, journal export, challenge,
statement, public page, and the practice chain's blocks for a node of the auditor's own. The proofs are built by the
same code as those for hardware wallets and signed by simulated devices.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from custody import atomic
from custody.audit.challenge import Challenge, parse_challenge
from custody.audit.reserves import ClaimedAddress, ClaimedCoin, Proof, ProofKind, Statement
from custody.bitcoin.address import address_of
from custody.bitcoin.amount import sum_sats
from custody.bitcoin.network import Network
from custody.chain.embedded import EmbeddedBackend
from custody.ports import ChainCoin, WatchRequest, no_progress
from custody.spend.proof import finish_message, message_proof, take_signatures
from custody.spend.review_model import Place
from custody.vault.vault import Vault
from custody.workspace.layout import VAULT_FILE

AUDIT_FOLDER = "auditor"
CHALLENGE_NAME = "challenge.json"
STATEMENT_NAME = "statement.json"
EXPORT_NAME = "export.jsonl"
BLOCKS_NAME = "blocks.dat"
PAGE_NAME = "page"


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

    def challenge(self) -> Challenge:
        """Return the challenge that lies in it."""
        return parse_challenge(atomic.read_file(self.path / CHALLENGE_NAME, max_bytes=1_000_000))

    def keep_statement(self, statement: Statement) -> None:
        """Write the custodian's answer into it."""
        atomic.create_file(self.path / STATEMENT_NAME, statement.to_bytes())


def practice_statement(
    vault: Vault, challenge: Challenge, chain: EmbeddedBackend, request: WatchRequest, signers: Sequence[int]
) -> Statement:
    """Return a statement over all coins at the challenge's block, with a proof by `signers` for each address."""
    places = {watched.script_pubkey: Place(watched.branch, watched.index) for watched in request.scripts}
    coins = chain.coins_at(frozenset(places), challenge.height, no_progress).coins
    by_script: dict[bytes, list[ChainCoin]] = defaultdict(list)
    for coin in coins:
        by_script[coin.script_pubkey].append(coin)
    return Statement(
        challenge=challenge,
        vault_id=vault.vault_id,
        descriptor=vault.descriptor.to_text(vault.network),
        addresses=tuple(_address(places[script], script) for script in by_script),
        coins=tuple(ClaimedCoin(coin.outpoint, coin.value, _text(coin.script_pubkey)) for coin in coins),
        total=sum_sats(coin.value for coin in coins),
        proofs=tuple(_proof(vault, challenge, places[script], script, signers) for script in by_script),
    )


def _proof(vault: Vault, challenge: Challenge, place: Place, script: bytes, signers: Sequence[int]) -> Proof:
    from custody_hardware.simulator import SimulatedDevice

    unsigned = message_proof(vault, place, challenge.message)
    returned = [SimulatedDevice(number, vault).sign(unsigned.serialize()) for number in signers]
    text = finish_message(vault, take_signatures(vault, unsigned, returned))
    return Proof(ProofKind.BIP322, (_text(script),), text)


def _address(place: Place, script: bytes) -> ClaimedAddress:
    return ClaimedAddress(_text(script), place.label, place.index)


def _text(script: bytes) -> str:
    address = address_of(script, Network.REGTEST)
    if address is None:
        raise TypeError("a script of the vault has no address")
    return address
