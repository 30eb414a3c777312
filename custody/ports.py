"""The doors to the outside world, as Protocols: chain, signing device, journal store, clock.

Pure code takes values; workflows take these ports; the edge builds the implementations.
What a port answers is a claim of whoever stands behind it: callers re-derive before they
show anything as true.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from custody.audit.journal import Entry, Inspection
from custody.bitcoin.amount import FeeRate, Sats
from custody.bitcoin.keys import ExtendedKey, KeyPath
from custody.bitcoin.network import Network
from custody.bitcoin.transaction import OutPoint, Transaction
from custody.errors import Finding
from custody.vault.vault import Vault

Progress = Callable[[str, int, int], None]
"""Called with (what is being done, done, total); total 0 means unknown."""


def no_progress(_what: str, _done: int, _total: int) -> None:
    """Report nothing: the progress of callers that show none."""


@dataclass(frozen=True, slots=True)
class Tip:
    """The newest block of a chain as one backend sees it."""

    height: int
    block_hash: str
    """As displayed (big-endian hex)."""
    median_time_past: int
    """Unix seconds (BIP 113); 0 where a snapshot knows an older block's hash and not its times."""


@dataclass(frozen=True, slots=True)
class ChainCoin:
    """An unspent output as a backend reports it."""

    outpoint: OutPoint
    value: Sats
    script_pubkey: bytes
    height: int | None
    """Height of its block; None while unconfirmed."""
    is_coinbase: bool


@dataclass(frozen=True, slots=True)
class ChainTransaction:
    """A transaction that touches watched scripts, with the block that holds it."""

    transaction: Transaction
    height: int | None
    """None while it is only in the node's mempool."""
    block_hash: str | None
    fee: Sats | None
    """Only where every input's value is known to the backend."""
    is_coinbase: bool


@dataclass(frozen=True, slots=True)
class WatchedScript:
    """A script of the vault with its place, in the order in which a backend imports it."""

    script_pubkey: bytes
    branch: int
    """0 receive, 1 change."""
    index: int


@dataclass(frozen=True, slots=True)
class WatchRequest:
    """What a backend must watch: the descriptor, a window of its scripts and since when."""

    vault_id: str
    descriptor: str
    """Multipath with checksum."""
    scripts: tuple[WatchedScript, ...]
    """Every script of the window, both branches; a backend without descriptors uses these."""
    birth_height: int


@dataclass(frozen=True, slots=True)
class WatchResult:
    """What a backend knows about the watched scripts at one tip."""

    tip: Tip
    transactions: tuple[ChainTransaction, ...]
    """Every transaction that pays to or spends from a watched script, blocks first, then mempool."""
    coins: tuple[ChainCoin, ...]
    incomplete: tuple[str, ...]
    """Why this is not the whole truth, in words; empty when the backend claims completeness."""


@dataclass(frozen=True, slots=True)
class ScanResult:
    """All unspent outputs of given scripts at one block, from the UTXO set itself."""

    tip: Tip
    coins: tuple[ChainCoin, ...]


@dataclass(frozen=True, slots=True)
class PastCoins:
    """All outputs of given scripts that were unspent right after one block of the active chain."""

    block: Tip
    """That block, which need not be the newest one."""
    coins: tuple[ChainCoin, ...]
    """In the order of their heights and outpoints."""


@dataclass(frozen=True, slots=True)
class MempoolVerdict:
    """What the node says to a transaction before it is sent."""

    allowed: bool
    reason: str
    """The node's own words, empty when allowed."""
    already_known: bool
    """Already in the mempool or in a block: sending again changes nothing."""


class ChainBackend(Protocol):
    """A view of the chain. Implementations: embedded, core_rpc, snapshot.

    Every method raises `ChainUnavailable` when the backend can't answer.
    """

    name: str
    network: Network

    def tip(self) -> Tip:
        """Return the newest block."""
        ...

    def block_hash_at(self, height: int) -> str | None:
        """Return the hash of the block at `height` on the active chain, None above the tip."""
        ...

    def block_at(self, height: int) -> Tip | None:
        """Return the block at `height` on the active chain, None above the tip."""
        ...

    def height_of(self, block_hash: str) -> int | None:
        """Return the height of a block of the active chain, None where it is not on it or unknown."""
        ...

    def watch(self, request: WatchRequest, progress: Progress) -> WatchResult:
        """Watch the scripts (import and rescan where needed; safe to repeat) and return all that is known."""
        ...

    def scan(self, request: WatchRequest, progress: Progress) -> ScanResult:
        """Return the scripts' unspent outputs from the UTXO set itself, by a second route."""
        ...

    def coins_at(self, scripts: frozenset[bytes], height: int, progress: Progress) -> PastCoins:
        """Return what the scripts held right after the block at `height`; as `coins_at_each`."""
        ...

    def coins_at_each(
        self, scripts: frozenset[bytes], heights: Sequence[int], progress: Progress
    ) -> tuple[PastCoins, ...]:
        """Return what the scripts held right after each block of one chain, without any wallet.

        From today's unspent outputs: those created later fall away, those spent since come back.

        Raises:
            ChainUnavailable: BLOCK_UNKNOWN above the tip; PRUNED_BELOW_BIRTH where blocks since are gone;
                NODE_BUSY where the chain keeps changing; SYNC_INCOMPLETE where a snapshot doesn't know the block.
        """
        ...

    def unspent(self, outpoint: OutPoint, *, include_mempool: bool) -> ChainCoin | None:
        """Return the coin if it is unspent, None if spent or unknown."""
        ...

    def transaction(self, txid: str, block_hash: str | None) -> Transaction:
        """Return a whole transaction by id (its hash is checked), from `block_hash` where given."""
        ...

    def estimate_fee_rate(self, target_blocks: int) -> FeeRate:
        """Return the node's estimate; raises `ChainUnavailable` NO_FEE_ESTIMATE when it has none."""
        ...

    def minimum_fee_rate(self) -> FeeRate:
        """Return the lowest rate that the backend's mempool takes now."""
        ...

    def test_accept(self, raw_transaction: bytes) -> MempoolVerdict:
        """Ask whether the mempool would take the transaction."""
        ...

    def conflicts(self, transaction: Transaction) -> tuple[str, ...]:
        """Return the txids in the mempool that this transaction would evict, descendants included."""
        ...

    def broadcast(self, raw_transaction: bytes) -> str:
        """Send the transaction and return its txid; already known is success."""
        ...


@dataclass(frozen=True, slots=True)
class DeviceDisplay:
    """What a device showed its holder before it signed: lines, as on the screen."""

    lines: tuple[str, ...]


class SigningDevice(Protocol):
    """Something that signs a PSBT with one cosigner's key."""

    @property
    def name(self) -> str:
        """What the device is called on screen."""
        ...

    @property
    def fingerprint(self) -> bytes:
        """Master key fingerprint, four bytes."""
        ...

    def sign(self, psbt: bytes) -> bytes:
        """Return the PSBT (version 0 bytes) with this device's signatures added.

        Raises `DeviceUnavailable` when absent, locked or refused. The answer proves nothing
        until its signatures are verified.
        """
        ...

    def display(self, psbt: bytes) -> DeviceDisplay:
        """Return what this device shows for the PSBT."""
        ...


@dataclass(frozen=True, slots=True)
class FoundDevice:
    """A device as a bus reports it; all of it is its own or its driver's word until a key is compared."""

    driver: str
    """Which driver found it, such as `coldcard`."""
    path: str
    """Where, in the driver's words."""
    model: str
    """What the driver calls it, such as `ledger_nano_s_plus`; empty where it does not say."""
    fingerprint: bytes | None
    """Master key fingerprint; None while it is locked or has no seed."""
    label: str
    firmware: str | None
    """Version, where the driver tells it."""
    problem: Finding | None
    """Why it can't be used now (locked, wrong app, busy, no permission), with what to do."""


@dataclass(frozen=True, slots=True)
class BusReport:
    """What a look at every driver found, and which drivers could not look."""

    devices: tuple[FoundDevice, ...]
    problems: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Registration:
    """What a device keeps, or gives out to be kept, once a vault was registered on it."""

    method: str
    """`policy` (BIP 388, with a token), `file`, `script-config`, `record`, or `none` where nothing is registered."""
    name: str
    """What the device calls the vault."""
    policy_id: str | None
    """BIP 388 policy id in hex, where the device has one."""
    token: bytes | None
    """The device's HMAC over the policy, 32 bytes: no secret, useless without the device."""


class SignerBus(Protocol):
    """Hardware signers that one driver program reaches. What it answers is a claim that callers verify.

    Every method raises `DeviceUnavailable`: absent, locked, busy, refused by its holder, timed out, or
    an answer that is none. No method takes a PIN or passphrase: those go to the device.
    """

    @property
    def name(self) -> str:
        """What the bus is called on screen, such as `hwi 3.2.0`."""
        ...

    def look(self, network: Network) -> BusReport:
        """Ask every driver what is connected, one by one."""
        ...

    def key(self, device: FoundDevice, path: KeyPath, network: Network) -> ExtendedKey:
        """Return the extended public key that the device gives at a path from its master key.

        Raises `DeviceUnavailable` DEVICE_UNSUPPORTED where the program can't ask for one.
        """
        ...

    def show_address(
        self, device: FoundDevice, vault: Vault, branch: int, index: int, registration: Registration | None
    ) -> str:
        """Let the device show an address of the vault to its holder, and return what it says it showed."""
        ...

    def register(self, device: FoundDevice, vault: Vault, name: str) -> Registration:
        """Register the vault on the device under `name`; its holder confirms each key on its screen."""
        ...

    def sign(self, device: FoundDevice, vault: Vault, psbt: bytes, registration: Registration | None) -> bytes:
        """Return the PSBT (version 0 bytes) as the device gives it back; whether it signed is not said."""
        ...


class StatementSigner(Protocol):
    """One person's SSH key, wherever its private half is: a file, an agent, a FIDO token."""

    def sign(self, statement: bytes, *, namespace: str) -> str:
        """Return the armored SSHSIG of the statement for `namespace`.

        Raises `DeviceUnavailable` when the key can't sign (absent, locked, refused by its holder),
        `InvalidInput` when it is of a kind that is not accepted. Whose key signed is not said:
        callers read the signature, and compare the whole key.
        """
        ...


class JournalStore(Protocol):
    """An append-only store of canonical entries with compare-and-append on the head."""

    def journal_id(self) -> str:
        """Return the id that every entry of this journal carries."""
        ...

    def head(self) -> tuple[int, str] | None:
        """Return (seq, hash) of the newest entry, None when empty."""
        ...

    def entries(self, start: int = 0) -> Sequence[Entry]:
        """Return the entries from `start` on, chain-checked."""
        ...

    def stream(self, start: int = 0) -> Iterator[Entry]:
        """Yield what `entries` returns, each checked before it is yielded; memory stays flat."""
        ...

    def inspect(self) -> Inspection:
        """Read everything and return every discrepancy."""
        ...

    def inspect_each(self) -> Iterator[Entry | Finding]:
        """Yield what `inspect` returns: each readable entry, and before it what is wrong there."""
        ...

    def find_request(self, request_id: str) -> tuple[Entry, ...]:
        """Return the entries of one request: after a lost acknowledgement, what was written after all."""
        ...

    def append(self, entries: Sequence[Entry], *, expected_head: str | None) -> None:
        """Append atomically if the head's hash is `expected_head` (None: empty), else `Conflict` JOURNAL_MOVED."""
        ...


class Clock(Protocol):
    """The wall clock, for the record only: no verdict rests on it."""

    def now(self) -> int:
        """Return Unix seconds."""
        ...


class NonceSource(Protocol):
    """Where fresh proposal nonces come from."""

    def nonce(self) -> str:
        """Return 32 lower-case hex characters."""
        ...
