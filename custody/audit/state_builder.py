"""A `State` while it is being folded: the same fields, mutable, so that a fold stays linear.

Nobody but the fold holds one. A step that raises leaves it half done; it is thrown away then.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from custody.audit.fold_governance import VaultFacts
from custody.audit.governance import GovernanceState
from custody.audit.receives import ReceiveRecord
from custody.audit.signers import Signers
from custody.audit.state import (
    AttestedReserve,
    IssuedAddress,
    LostJournal,
    PriorHistory,
    ProposalRecord,
    SeenTip,
    SeenTransaction,
    State,
)
from custody.bitcoin.network import Network
from custody.bitcoin.transaction import OutPoint
from custody.errors import JsonValue
from custody.spend.labels import LabelRecord
from custody.vault.vault import Vault


@dataclass(slots=True)
class StateBuilder:
    """Fields as in `State`."""

    vault_document: Mapping[str, JsonValue]
    vault_id: str
    network: Network
    ungoverned: bool
    lost_journal: LostJournal | None = None
    issued: dict[int, IssuedAddress] = field(default_factory=dict)
    """By index."""
    labels: dict[tuple[str, str], LabelRecord] = field(default_factory=dict)
    frozen: set[OutPoint] = field(default_factory=set)
    taken_in: set[OutPoint] = field(default_factory=set)
    explained: set[str] = field(default_factory=set)
    prior_history: PriorHistory | None = None
    proposals: dict[str, ProposalRecord] = field(default_factory=dict)
    tip: SeenTip | None = None
    tips: list[SeenTip] = field(default_factory=list)
    is_complete: bool = False
    incomplete: tuple[str, ...] = ()
    has_complete_sync: bool = False
    transactions: dict[str, SeenTransaction] = field(default_factory=dict)
    prior_txids: set[str] = field(default_factory=set)
    governance: GovernanceState = field(default_factory=GovernanceState)
    signers: Signers = field(default_factory=Signers)
    receives: dict[str, ReceiveRecord] = field(default_factory=dict)
    attested: list[AttestedReserve] = field(default_factory=list)
    refused_drafts: set[str] = field(default_factory=set)
    highest: dict[int, int] = field(default_factory=lambda: {0: -1, 1: -1})
    """By branch."""
    head_seq: int = 0
    _vault: Vault | None = None
    _facts: VaultFacts | None = None

    @property
    def vault(self) -> Vault:
        """The adopted vault: read when something has to be derived."""
        if self._vault is None:
            self._vault = Vault.from_document(dict(self.vault_document))
        return self._vault

    @property
    def cosigner_names(self) -> frozenset[str]:
        """The names of the vault's keys."""
        return frozenset(one.name for one in self.vault.cosigners)

    @property
    def vault_facts(self) -> VaultFacts:
        """What statements say of the vault: derived when the first one is checked."""
        if self._facts is None:
            self._facts = VaultFacts.of(self.vault)
        return self._facts

    def use(self, branch: int, index: int) -> None:
        """Note that an index is in use."""
        self.highest[branch] = max(self.highest.get(branch, -1), index)

    def see(self, tip: SeenTip) -> None:
        """Note the tip of an observation; what a reorganization left behind is forgotten."""
        while self.tips and not _is_below(self.tips[-1], tip):
            self.tips.pop()
        self.tips.append(tip)
        self.tip = tip

    @classmethod
    def of(cls, state: State) -> "StateBuilder":
        """Return a builder that starts from `state` and leaves it untouched."""
        return cls(
            vault_document=state.vault_document,
            vault_id=state.vault_id,
            network=state.network,
            ungoverned=state.ungoverned,
            lost_journal=state.lost_journal,
            issued={one.index: one for one in state.issued},
            labels=dict(state.labels),
            frozen=set(state.frozen),
            taken_in=set(state.taken_in),
            explained=set(state.explained),
            prior_history=state.prior_history,
            proposals=dict(state.proposals),
            tip=state.tip,
            tips=list(state.tips),
            is_complete=state.is_complete,
            incomplete=state.incomplete,
            has_complete_sync=state.has_complete_sync,
            transactions=dict(state.transactions),
            prior_txids=set(state.prior_txids),
            governance=state.governance,
            signers=state.signers,
            receives=dict(state.receives),
            attested=list(state.attested),
            refused_drafts=set(state.refused_drafts),
            highest=dict(enumerate(state.highest)),
            head_seq=state.head_seq,
        )

    def freeze(self) -> State:
        """Return the state so far."""
        return State(
            vault_document=self.vault_document,
            vault_id=self.vault_id,
            network=self.network,
            ungoverned=self.ungoverned,
            lost_journal=self.lost_journal,
            issued=tuple(self.issued.values()),
            labels=dict(self.labels),
            frozen=frozenset(self.frozen),
            taken_in=frozenset(self.taken_in),
            explained=frozenset(self.explained),
            prior_history=self.prior_history,
            proposals=dict(self.proposals),
            tip=self.tip,
            tips=tuple(self.tips),
            is_complete=self.is_complete,
            incomplete=self.incomplete,
            has_complete_sync=self.has_complete_sync,
            transactions=dict(self.transactions),
            prior_txids=frozenset(self.prior_txids),
            governance=self.governance,
            signers=self.signers,
            receives=dict(self.receives),
            attested=tuple(self.attested),
            refused_drafts=frozenset(self.refused_drafts),
            highest=(self.highest[0], self.highest[1]),
            head_seq=self.head_seq,
        )


def _is_below(one: SeenTip, other: SeenTip) -> bool:
    return one.height < other.height and one.median_time_past <= other.median_time_past
