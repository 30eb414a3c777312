"""What the journal says, as values: the result of folding its entries (`fold.py`).

Everything here is a record of what was written, in its order. Judgements that need the tip
or several records together stand in `chain_view.py` and `proposal_state.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from custody.audit.governance import GovernanceState
from custody.audit.receives import ReceiveRecord
from custody.audit.signers import Signers
from custody.bitcoin.amount import Sats
from custody.bitcoin.network import Network
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.transaction import OutPoint, Transaction
from custody.errors import JsonValue
from custody.people.statement import GovernanceRef
from custody.spend.labels import LabelRecord
from custody.spend.proposal import Proposal
from custody.spend.psbt_builder import final_txid


@dataclass(frozen=True, slots=True)
class SeenTip:
    """The newest block of the last observation."""

    height: int
    block_hash: str
    median_time_past: int
    """Unix seconds."""


@dataclass(frozen=True, slots=True)
class OwnInput:
    """An output of ours that a transaction spends."""

    outpoint: OutPoint
    value: Sats
    branch: int
    index: int


@dataclass(frozen=True, slots=True)
class SeenOutput:
    """An output of a transaction that touches us."""

    value: Sats
    script_pubkey: bytes
    place: tuple[int, int] | None
    """Branch and index where it is ours."""


@dataclass(frozen=True, slots=True)
class SeenTransaction:
    """A transaction of ours as the chain holds it now."""

    txid: str
    block_hash: str | None
    height: int | None
    """None while it is in no block."""
    fee: Sats | None
    is_coinbase: bool
    inputs: tuple[OwnInput, ...]
    outputs: tuple[SeenOutput, ...]
    seq: int
    """Entry that recorded it last."""
    before_first_complete_sync: bool
    """Whether it was known when a complete view was had for the first time: prior history."""
    seen_time: int = 0
    """The chain's median time when it was first seen where it is now, in its block or in none: Unix seconds."""

    @property
    def is_outflow(self) -> bool:
        """Whether it spends coins of ours."""
        return bool(self.inputs)


@dataclass(frozen=True, slots=True)
class IssuedAddress:
    """A receive address that was handed out."""

    index: int
    address: str
    label: str | None
    seq: int


@dataclass(frozen=True, slots=True)
class RecordedSignature:
    """A signature that was verified when it was recorded; whoever relies on it verifies it again."""

    input_index: int
    public_key: bytes
    signature: bytes
    """DER with its sighash byte."""
    source: str
    """Where it came from: a device or a file, as told."""
    time: str
    """The writer's clock when it was recorded."""
    seq: int
    """Entry that recorded it."""
    chain_time: int
    """The chain's median time at that entry: Unix seconds."""


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """A drafter's propose or a person's approval that counted at its own position."""

    kind: str
    """`propose` or `approve`."""
    officer: str
    roles: frozenset[str]
    """The officer's roles at that position."""
    key: bytes
    """Blob of the officer's key: a revocation of it voids what was not acted upon."""
    governance: GovernanceRef
    signature: str
    """Armored SSHSIG."""
    seq: int
    time: int
    """The chain's median time at its position: Unix seconds."""


@dataclass(frozen=True, slots=True)
class ProposalRecord:
    """All that the journal says of one proposal."""

    proposal: Proposal
    psbt: Psbt
    """As drafted, without signatures."""
    drafted_seq: int
    drafted_time: str
    has_left: bool = False
    signatures: tuple[RecordedSignature, ...] = ()
    acknowledged: frozenset[str] = frozenset()
    """`CODE@where` items, which hold for the later steps too."""
    final: Transaction | None = None
    is_broadcast: bool = False
    withdrawn: bool = False
    rejected: bool = False
    ended_time: int | None = None
    """The chain's median time when it was withdrawn or rejected."""
    statements: tuple[SignedStatement, ...] = ()
    """What officers signed about it, in the order of the journal."""
    final_txid: str = ""
    """What the finished transaction is called: known before anybody signs. Follows from `psbt`."""

    def __post_init__(self) -> None:
        # Computed once: each later entry makes a new record of the same PSBT.
        if not self.final_txid:
            object.__setattr__(self, "final_txid", final_txid(self.psbt))

    @property
    def proposal_id(self) -> str:
        """Hash of the proposal's document."""
        return self.proposal.proposal_id

    @property
    def proposed_by(self) -> str | None:
        """The drafter whose signed propose it carries, None while nobody signed one."""
        return next((one.officer for one in self.statements if one.kind == "propose"), None)


@dataclass(frozen=True, slots=True)
class PriorHistory:
    """What somebody accepted as lying before the journal."""

    count: int
    sum: Sats


@dataclass(frozen=True, slots=True)
class LostJournal:
    """That this vault was brought back without its journal: who governs it, and what was done, is not known here."""

    source: str
    """What it was brought back from, by its format."""
    head: str | None
    """Newest entry's hash of the journal that is missing, where somebody kept it."""


@dataclass(frozen=True, slots=True)
class AttestedReserve:
    """A statement of reserves that was handed out: what it says, and by whose signatures."""

    statement: str
    """Its digest."""
    challenge: str
    """Digest of the challenge that it answers."""
    holder: str
    purpose: str
    height: int
    block_hash: str
    total: Sats
    kinds: tuple[str, ...]
    """Of its proofs."""
    disclosed: str
    """`descriptor` or `addresses`."""
    signers: tuple[str, ...]
    """Cosigners, in the vault's order."""
    seq: int


@dataclass(frozen=True, slots=True)
class State:
    """The fold of all entries so far."""

    vault_document: Mapping[str, JsonValue]
    vault_id: str
    network: Network
    ungoverned: bool
    lost_journal: LostJournal | None = None
    """Set where the vault was restored without its journal."""
    issued: tuple[IssuedAddress, ...] = ()
    labels: Mapping[tuple[str, str], LabelRecord] = field(default_factory=dict)
    """By BIP 329 type and ref."""
    frozen: frozenset[OutPoint] = frozenset()
    taken_in: frozenset[OutPoint] = frozenset()
    """Small unannounced coins that somebody took in by name."""
    explained: frozenset[str] = frozenset()
    """Txids of outflows that somebody accepted."""
    prior_history: PriorHistory | None = None
    proposals: Mapping[str, ProposalRecord] = field(default_factory=dict)
    """By proposal_id, in the order of drafting."""
    tip: SeenTip | None = None
    tips: tuple[SeenTip, ...] = ()
    """Every tip that was observed and still stands, by height: heights and median times only rise."""
    is_complete: bool = False
    """Whether the last observation claimed and proved completeness."""
    incomplete: tuple[str, ...] = ()
    """Why it did not."""
    has_complete_sync: bool = False
    """Whether a complete view was ever had, compared with the UTXO set."""
    transactions: Mapping[str, SeenTransaction] = field(default_factory=dict)
    """By txid: what the last observations have in blocks or in the mempool."""
    prior_txids: frozenset[str] = frozenset()
    """Every transaction that was known by the first complete sync, vanished ones included."""
    governance: GovernanceState = field(default_factory=GovernanceState)
    signers: Signers = field(default_factory=Signers)
    """What custodians say of their devices, and what was registered and checked on them."""
    receives: Mapping[str, ReceiveRecord] = field(default_factory=dict)
    """Attested receive addresses by receive_id, in the order in which their terms were written down."""
    attested: tuple[AttestedReserve, ...] = ()
    """Statements of reserves that were handed out, in the order of the journal."""
    refused_drafts: frozenset[str] = frozenset()
    """Ids of drafts that lie about the vault or about what they replace: they and what follows count for nothing."""
    highest: tuple[int, int] = (-1, -1)
    """Highest index handed out, drafted or seen, on the receive and on the change branch; -1 before the first."""
    head_seq: int = 0
    """Position of the newest entry folded."""

    @property
    def is_governance_unknown(self) -> bool:
        """Whether the vault was restored without its journal and nobody has founded it since."""
        return self.lost_journal is not None and not self.governance.is_founded
