"""Judge entry after entry on the state before it, and go on whatever is found: the heart of `audit journal`.

An entry that can't be folded, or an observation that the journal itself proves false, counts for nothing in what
follows, so that what rests on it is found too.
"""

from array import array
from collections import Counter
from dataclasses import replace

from custody.audit.block_witness import TipWatch
from custody.audit.chain_view import unexplained_outflows
from custody.audit.chain_witness import ChainWitness
from custody.audit.fold import ADOPTED, Replay
from custody.audit.fold_chain import read_observation
from custody.audit.fold_governance import ATTESTED, CHANGE_SIGNED, CHECKPOINT
from custody.audit.fold_proposals import BROADCAST, DRAFTED, FINALIZED, SIGNED
from custody.audit.fold_receive import SIGNED as RECEIVE_SIGNED
from custody.audit.fold_statements import STATEMENT
from custody.audit.governance import GovernanceState
from custody.audit.journal import Entry
from custody.audit.journal_clock import ClockWatch
from custody.audit.journal_fields import ALTERED_ADVICE
from custody.audit.nonces import placed_nonce_findings
from custody.audit.signers import REHEARSED
from custody.audit.state import ProposalRecord
from custody.audit.state_builder import StateBuilder
from custody.codes import Code
from custody.errors import Altered, CustodyError, Finding, Severity, UpgradeNeeded
from custody.policy.decision import Gate
from custody.ports import Progress
from custody.vault.vault import Vault
from custody.workflow.audit_claims import claims_of
from custody.workflow.audit_decisions import gate_of, gate_problem
from custody.workflow.audit_signatures import Problem, final_problems, signature_problems
from custody.workflow.audited import Findings
from custody.workflow.checkpoint import Hashes, false_checkpoints
from custody.workflow.decide import unapproved_outflows
from custody.workflow.recorded_rehearsals import placed_rehearsal_findings

OBSERVED = "chain_observed"

_SSH_SIGNED = frozenset({CHANGE_SIGNED, STATEMENT, ATTESTED, CHECKPOINT, RECEIVE_SIGNED})

_ADVICE = {
    Code.ENTRY_CONTRADICTED: "Ask who wrote the entry, and compare with your own node: this program never writes it.",
    Code.AUTHORITY_DISREGARDED: "Find out who wrote it: this program never does. Nothing here counts it.",
    Code.POLICY_DENIED: "Find out who went on against the policy, and whether the payment was sent.",
    Code.APPROVALS_MISSING: "Find out who went on without it, and whether the payment was sent.",
    Code.OUTFLOW_ON_WORD: "Ask who accepted it and what it was for: whoever can write to the journal can write that.",
    Code.BROADCAST_UNSEEN: "Ask your own node what became of it.",
    Code.UNEXPLAINED_OUTFLOW: "Ask who spent it: no proposal that had its approvals, and nobody's word, explains it.",
}
_OF_SIGNATURES = "Ask who wrote it: this program records no signature before it has verified it."


class EntryAudit:
    """Replays entries; what it finds goes to `found`."""

    def __init__(self, found: Findings, expected: Vault | None) -> None:
        self.checked: Counter[str] = Counter()
        self.vault: Vault | None = None
        """The adopted one; where nothing adopts one, the expected one."""
        self._found = found
        self._expected = expected
        self._replay = Replay()
        self._clocks = ClockWatch()
        self._tips = TipWatch()
        self._witness: ChainWitness | None = None
        self._places = _Places()

    @property
    def governance(self) -> GovernanceState:
        """The governance at the end; empty where nothing was adopted."""
        return self._replay.builder.governance if self._replay.has_begun else GovernanceState()

    def take(self, entry: Entry, line: int) -> None:
        """Judge the next entry."""
        self._places.note(entry, line)
        for finding in self._clocks.judge(entry):
            self._add(entry.seq, finding)
        false_tip = self._tips.judge(entry)
        if false_tip is not None:
            self._refuse(entry.seq, Code.ENTRY_CONTRADICTED, false_tip)
        if not self._replay.has_begun:
            self._begin(entry)
            return
        builder = self._replay.builder
        if entry.kind == OBSERVED and not self._observation_stands(builder, entry):
            return
        passed = self._passed_gate(builder, entry)
        disregarded = len(builder.governance.disregarded)
        if not self._applied(entry):
            return
        vain = builder.governance.disregarded[disregarded:]
        for one in vain:
            self._refuse(
                one.seq, Code.AUTHORITY_DISREGARDED, f"it claims authority and counts for nothing: {one.words}"
            )
        self.checked["ssh_signatures"] += entry.kind in _SSH_SIGNED
        self.checked["rehearsals"] += entry.kind == REHEARSED
        if vain:
            return
        if passed is not None:
            self._refuse(entry.seq, *passed)
        self._after(builder, entry)

    def finish(self, progress: Progress) -> None:
        """Judge what only the whole journal shows."""
        if not self._replay.has_begun or self.vault is None or self._witness is None:
            return
        progress("signatures and outflows of the whole journal", 0, 0)
        builder, state = self._replay.builder, self._replay.state
        for seq, words in self._witness.finish(builder):
            self._refuse(seq, Code.ENTRY_CONTRADICTED, words)
        for seq, words in self._witness.unseen(builder):
            self._add(seq, _finding(Code.BROADCAST_UNSEEN, seq, words, Severity.WARN))
        for seq, finding in (
            *placed_nonce_findings(state, self.vault),
            *placed_rehearsal_findings(self.vault, state.signers),
        ):
            self._add(seq, replace(finding, where=f"entry:{seq}"))
        for outflow in (*unexplained_outflows(state), *unapproved_outflows(state, self.vault)):
            seen = outflow.transaction
            words = f"{outflow.left_us} sat left the vault in {seen.txid}, and nothing that counts explains it"
            self._refuse(seen.seq, Code.UNEXPLAINED_OUTFLOW, words)

    def hold_against(self, hashes: Hashes) -> None:
        """Name the signed checkpoints in the journal that don't fit it."""
        for seq, finding in false_checkpoints(hashes, self.governance):
            self._add(seq, replace(finding, severity=Severity.REFUSE))

    def _begin(self, entry: Entry) -> None:
        if entry.kind == ADOPTED or entry.seq == 0:
            try:
                self._replay.apply(entry)
            except (Altered, UpgradeNeeded) as error:
                self._refuse_error(entry.seq, error)
            if self._replay.has_begun:
                self._know(self._replay.builder.vault)
                return
        if self._expected is not None:
            one = self._expected
            self._replay = Replay(StateBuilder(one.to_document(), one.vault_id, one.network, ungoverned=False))
            self._know(one)
            words = "no entry adopts a vault: what follows is judged by the vault that was given beside the journal"
            self._refuse(entry.seq, Code.JOURNAL_ALTERED, words)
            if entry.kind != ADOPTED:
                self._applied(entry)
        elif self.checked["not_judged"] == 0:
            words = "no entry adopts a vault: from here on only the chain is judged, until one does or you give one"
            self._refuse(entry.seq, Code.JOURNAL_ALTERED, words)
        self.checked["not_judged"] += not self._replay.has_begun

    def _know(self, vault: Vault) -> None:
        self.vault = vault
        self._witness = ChainWitness(vault)

    def _applied(self, entry: Entry) -> bool:
        try:
            self._replay.apply(entry)
        except (Altered, UpgradeNeeded) as error:
            self._refuse_error(entry.seq, error)
            return False
        return True

    def _observation_stands(self, builder: StateBuilder, entry: Entry) -> bool:
        """Hold an observation against what the journal proves; tell whether it may count."""
        if self._witness is None:
            return True
        try:
            observed = read_observation(builder, entry)
        except CustodyError:
            return True  # the fold names it
        self.checked["observations"] += 1
        problems = self._witness.judge(builder, observed)
        for words in problems:
            self._refuse(entry.seq, Code.ENTRY_CONTRADICTED, words)
        return not problems

    def _passed_gate(self, builder: StateBuilder, entry: Entry) -> Problem | None:
        """Ask the policy about the gate that an entry passes, on the state before it; a draft is asked afterwards."""
        gate, record = gate_of(entry), _record_of(builder, entry)
        if gate is None or gate is Gate.DRAFT or record is None:
            return None
        return self._decided(record, gate)

    def _decided(self, record: ProposalRecord, gate: Gate) -> Problem | None:
        if self.vault is None:
            return None
        if record.proposal.policy_digest is None and self.governance.policy is None:
            return None
        self.checked["decisions"] += 1
        return gate_problem(self._replay.state, self.vault, record, gate)

    def _after(self, builder: StateBuilder, entry: Entry) -> None:
        """Judge what an entry brought, now that it stands."""
        if self.vault is None or self._witness is None:
            return
        for severity, code, words in claims_of(builder, self.vault, entry):
            self._add(entry.seq, _finding(code, entry.seq, words, severity))
        record = _record_of(builder, entry)
        if record is None:
            return
        problems: list[Problem] = []
        if entry.kind == DRAFTED:
            problems += [(Code.ENTRY_CONTRADICTED, words) for words in self._witness.learn_draft(builder, record)]
            decided = self._decided(record, Gate.DRAFT)
            problems += [] if decided is None else [decided]
        elif entry.kind == SIGNED:
            added = tuple(one for one in record.signatures if one.seq == entry.seq)
            self.checked["payment_signatures"] += len(added)
            problems += signature_problems(self.vault, record, added)
        elif entry.kind == FINALIZED and record.final is not None:
            self.checked["final_transactions"] += 1
            problems += final_problems(self.vault, record, record.final)
        elif entry.kind == BROADCAST:
            self._witness.learn_broadcast(builder, record, entry.seq)
        for code, words in problems:
            self._refuse(entry.seq, code, words)

    def _refuse_error(self, seq: int, error: CustodyError) -> None:
        words = error.message.removeprefix(f"entry:{seq}: ")
        self._add(seq, Finding(error.code, Severity.REFUSE, f"entry:{seq}", words, error.advice))

    def _refuse(self, seq: int, code: Code, words: str) -> None:
        self._add(seq, _finding(code, seq, words, Severity.REFUSE))

    def _add(self, seq: int, finding: Finding) -> None:
        line, kind = self._places.of(seq)
        self._found.add(finding, seq=seq, line=line, kind=kind)


_MAX_GAP = 1_000
"""So many positions may be missing at one place before those after it are noted one by one."""


class _Places:
    """Line and kind of each entry by its position: twelve bytes an entry."""

    def __init__(self) -> None:
        self._lines = array("q")
        self._kinds = array("l")
        self._names: dict[str, int] = {}
        self._moved: dict[int, tuple[int, int]] = {}
        """Entries that don't stand where their position says."""

    def note(self, entry: Entry, line: int) -> None:
        """Note where an entry stands; of two with one position the later one counts."""
        kind = self._names.setdefault(entry.kind, len(self._names))
        gap = entry.seq - len(self._lines)
        if 0 < gap <= _MAX_GAP:
            self._lines.extend([line] * gap)
            self._kinds.extend([kind] * gap)
        if entry.seq == len(self._lines):
            self._lines.append(line)
            self._kinds.append(kind)
        else:
            self._moved[entry.seq] = (line, kind)

    def of(self, seq: int) -> tuple[int | None, str | None]:
        """Return line and kind."""
        names = tuple(self._names)
        if seq in self._moved:
            line, kind = self._moved[seq]
            return line, names[kind]
        if seq < len(self._lines):
            return self._lines[seq], names[self._kinds[seq]]
        return None, None


def _record_of(builder: StateBuilder, entry: Entry) -> ProposalRecord | None:
    proposal_id = entry.body.get("proposal_id")
    return builder.proposals.get(proposal_id) if isinstance(proposal_id, str) else None


def _finding(code: Code, seq: int, words: str, severity: Severity) -> Finding:
    advice = ALTERED_ADVICE if code is Code.JOURNAL_ALTERED else _ADVICE.get(code, _OF_SIGNATURES)
    return Finding(code, severity, f"entry:{seq}", words, advice)
