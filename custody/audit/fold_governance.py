"""Fold the entries of governance: changes proposed and signed, waiting times that end, attestations.

What claims authority counts only with valid SSH signatures by officers in force at its own
position, over statements built again here; anything else is disregarded and listed, because
whoever can append an entry must not be able to stop the vault with a false one. A body with a
wrong shape is an alteration, as everywhere. The same code folds a whole journal and the few
entries that a signer's bundle carries.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from custody.audit.change_rules import Electorate, change_problem, rejection_is_final, waiting_time
from custody.audit.governance import (
    Allowed,
    Attested,
    ChangeRecord,
    ChangeSignature,
    ChangeStatus,
    Checkpoint,
    Disregarded,
    GovernanceState,
)
from custody.audit.journal import Entry
from custody.bitcoin.descriptor import Branch
from custody.errors import Altered, CustodyError, UpgradeNeeded
from custody.people.approval import require_signed
from custody.people.change import Change, ChangeKind
from custody.people.officer import ADMINISTRATOR, SIGNER, Officer
from custody.people.statement import attest_statement, checkpoint_statement
from custody.policy.load import policy_from_canonical
from custody.spend.document import boolean_of, fields_of, hash_of, integer_of, text_of
from custody.vault.vault import Vault

OFFICER_NAMED = "officer_named"
OFFICER_UNNAMED = "officer_unnamed"
CHANGE_PROPOSED = "change_proposed"
CHANGE_SIGNED = "change_signed"
ATTESTED = "descriptor_attested"
CHECKPOINT = "checkpoint_signed"

GOVERNANCE_KINDS = frozenset({OFFICER_NAMED, OFFICER_UNNAMED, CHANGE_PROPOSED, CHANGE_SIGNED, ATTESTED, CHECKPOINT})


@dataclass(frozen=True, slots=True)
class VaultFacts:
    """What statements say of the vault; the same for all of them."""

    name: str
    vault_id: str
    network: str
    first_address: str
    """Empty where the vault can't receive."""
    cosigners: tuple[str, ...]

    @classmethod
    def of(cls, vault: Vault) -> "VaultFacts":
        """Derive them from the vault."""
        first_address = vault.first_address if Branch.RECEIVE in vault.descriptor.branches else ""
        names = tuple(one.name for one in vault.cosigners)
        return cls(vault.name, vault.vault_id, str(vault.network), first_address, names)


def apply_governance(gov: GovernanceState, entry: Entry, vault: VaultFacts) -> GovernanceState:
    """Return the governance after one entry of `GOVERNANCE_KINDS`; time was advanced before.

    Raises:
        InvalidInput: a body of a wrong shape.
    """
    try:
        return _STEPS[entry.kind](gov, entry, vault)
    except _Disregard as refused:
        return disregard(gov, entry, refused.words)


def advance(gov: GovernanceState, time: int, seq: int, *, settled: int | None = None) -> GovernanceState:
    """Return the governance once the chain's time has reached `time`; changes whose waiting is over take effect.

    With `settled`, where the time is only somebody's word, changes with higher numbers wait on.
    """
    if time <= gov.time:
        return gov
    gov = replace(gov, time=time)
    due = [
        record
        for record in gov.changes.values()
        if record.status is ChangeStatus.WAITING
        and record.effective_from is not None
        and record.effective_from <= time
        and (settled is None or record.change.number <= settled)
    ]
    for record in sorted(due, key=lambda one: (one.effective_from or 0, one.change.number)):
        problem = change_problem(gov, record.change)
        status = ChangeStatus.IN_FORCE if problem is None else ChangeStatus.STALE
        gov = _with_change(gov, replace(record, status=status))
        if problem is None:
            gov = _in_force(gov, record.change, record.approvers, seq)
    return gov


def disregard(gov: GovernanceState, entry: Entry, words: str) -> GovernanceState:
    """Return the governance with one more entry that counts for nothing."""
    return replace(gov, disregarded=(*gov.disregarded, Disregarded(entry.seq, f"{entry.kind}: {words}")))


class _Disregard(Exception):
    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


def _named(gov: GovernanceState, entry: Entry, _vault: VaultFacts) -> GovernanceState:
    body = fields_of(entry.body, "the body", ("officer",))
    officer = Officer.from_document(body["officer"])
    if gov.is_founded:
        raise _Disregard("officers are enrolled by a change once the vault is founded")
    return replace(gov, named={**gov.named, officer.name: officer})


def _unnamed(gov: GovernanceState, entry: Entry, _vault: VaultFacts) -> GovernanceState:
    name = text_of(fields_of(entry.body, "the body", ("name",))["name"], "name")
    if gov.is_founded or name not in gov.named:
        raise _Disregard("no such officer is named for a founding to come")
    return replace(gov, named={known: one for known, one in gov.named.items() if known != name})


def _proposed(gov: GovernanceState, entry: Entry, vault: VaultFacts) -> GovernanceState:
    change = Change.from_document(fields_of(entry.body, "the body", ("change",))["change"])
    if (change.vault_id, str(change.network)) != (vault.vault_id, vault.network):
        raise _Disregard("it is for another vault or network")
    if change.change_id in gov.changes:
        raise _Disregard("it was proposed before")
    problem = _problem(gov, change)
    if problem is not None:
        raise _Disregard(problem)
    return _with_change(gov, ChangeRecord(change, entry.seq))


def _signed(gov: GovernanceState, entry: Entry, vault: VaultFacts) -> GovernanceState:
    body = fields_of(entry.body, "the body", ("change_id", "officer", "approves", "signature"))
    record = gov.changes.get(hash_of(body["change_id"], "change_id"))
    approves = boolean_of(body["approves"], "approves")
    name, signature = text_of(body["officer"], "officer"), text_of(body["signature"], "signature")
    if record is None:
        raise _Disregard("it signs a change that is not on its way")
    officer = Electorate.of(gov, record.change).find(name)
    if officer is None:
        raise _Disregard(f"`{name}` is no officer who can sign this change")
    statement = record.change.statement(vault.name) if approves else record.change.rejection(vault.name)
    _require(lambda: require_signed(signature, statement, officer))
    if name in record.refusers:
        raise _Disregard(f"`{name}` refused this change: that is final")
    if record.status is ChangeStatus.WAITING and not approves:
        return _vetoed(gov, _with_signature(record, name, entry, approves=False), entry, vault)
    if record.status is not ChangeStatus.PENDING:
        raise _Disregard(f"the change is {record.status} already")
    problem = _problem(gov, record.change)
    if problem is not None:
        raise _Disregard(problem)
    return _settled(gov, _with_signature(record, name, entry, approves=approves), entry, vault)


def _with_signature(record: ChangeRecord, name: str, entry: Entry, *, approves: bool) -> ChangeRecord:
    others = tuple(one for one in record.signatures if one.officer != name)
    return replace(record, signatures=(*others, ChangeSignature(name, approves, entry.seq)))


def _vetoed(gov: GovernanceState, record: ChangeRecord, entry: Entry, vault: VaultFacts) -> GovernanceState:
    """End a change that waits. The veto takes a number of its own, so that who leaves it out leaves a gap."""
    name = record.signatures[-1].officer
    if name not in gov.officers or gov.head is None:
        raise _Disregard(f"`{name}` is no officer in force")
    veto = record.change.veto(vault.name, gov.head)
    gov = _with_stale(replace(gov, statements=(*gov.statements, veto)), record.change)
    return _with_change(gov, replace(record, status=ChangeStatus.VETOED, decided_seq=entry.seq))


def _settled(gov: GovernanceState, record: ChangeRecord, entry: Entry, vault: VaultFacts) -> GovernanceState:
    """Let the change go on if its quorums are complete now, or end if they can't be any more."""
    electorate = Electorate.of(gov, record.change)
    if not electorate.is_complete(record.approvers):
        if rejection_is_final(electorate, record.refusers):
            record = replace(record, status=ChangeStatus.REJECTED, decided_seq=entry.seq)
        return _with_change(gov, record)
    gov = replace(gov, statements=(*gov.statements, record.change.reference(vault.name)))
    gov = _with_stale(gov, record.change)
    wait = waiting_time(gov, record.change)
    if wait:
        waiting = replace(record, status=ChangeStatus.WAITING, decided_seq=entry.seq, effective_from=gov.time + wait)
        return _with_change(gov, waiting)
    gov = _with_change(gov, replace(record, status=ChangeStatus.IN_FORCE, decided_seq=entry.seq))
    return _in_force(gov, record.change, record.approvers, entry.seq)


def _with_stale(gov: GovernanceState, done: Change) -> GovernanceState:
    """Every other pending change built on the statement that is the newest no more."""
    changes = {
        change_id: replace(record, status=ChangeStatus.STALE)
        if record.status is ChangeStatus.PENDING and change_id != done.change_id
        else record
        for change_id, record in gov.changes.items()
    }
    return replace(gov, changes=changes)


def _in_force(gov: GovernanceState, change: Change, approvers: tuple[str, ...], seq: int) -> GovernanceState:
    payload = change.payload
    match change.kind:
        case ChangeKind.FOUND | ChangeKind.ENROL:
            officers = {one.name: one for one in payload.officers}
            keys = {one.key.blob: one.name for one in payload.officers}
            gov = replace(
                gov,
                officers={**gov.officers, **officers},
                enrolled_keys={**gov.enrolled_keys, **keys},
                named={},
            )
            return gov if change.kind is ChangeKind.ENROL else _with_policy(replace(gov, founded_seq=seq), change)
        case ChangeKind.REVOKE:
            gone = gov.officers[payload.name or ""]
            officers = {name: one for name, one in gov.officers.items() if name != gone.name}
            return replace(gov, officers=officers, revoked_at={**gov.revoked_at, gone.key.blob: seq})
        case ChangeKind.ADOPT:
            return _with_policy(gov, change)
        case ChangeKind.ALLOW if payload.entry is not None and gov.policy is not None:
            allowed = Allowed(payload.entry, gov.time + gov.policy.allowlist_waiting, seq)
            return replace(gov, allowlist={**gov.allowlist, payload.entry.name: allowed})
        case ChangeKind.DISALLOW:
            return replace(gov, allowlist={name: one for name, one in gov.allowlist.items() if name != payload.name})
        case ChangeKind.SUSPEND:
            return replace(
                gov, suspended_by=next(name for name in approvers if name in gov.officer_with(ADMINISTRATOR))
            )
        case ChangeKind.RESUME:
            return replace(gov, suspended_by=None)
        case _:
            return gov  # unfreeze: the coins are the caller's


def _with_policy(gov: GovernanceState, change: Change) -> GovernanceState:
    policy = policy_from_canonical(change.policy_bytes)
    return replace(
        gov,
        policy=policy,
        policies={**gov.policies, policy.digest: policy},
        highest_version=max(gov.highest_version, policy.version),
    )


def _with_change(gov: GovernanceState, record: ChangeRecord) -> GovernanceState:
    return replace(gov, changes={**gov.changes, record.change.change_id: record})


def _attested(gov: GovernanceState, entry: Entry, vault: VaultFacts) -> GovernanceState:
    body = fields_of(entry.body, "the body", ("cosigner", "officer", "signature"))
    cosigner, name = text_of(body["cosigner"], "cosigner"), text_of(body["officer"], "officer")
    signature = text_of(body["signature"], "signature")
    officer = gov.officers.get(name)
    if officer is None or SIGNER not in officer.roles or cosigner not in vault.cosigners:
        raise _Disregard(f"no such officer in force with the role {SIGNER}, or no such cosigner")
    others = [one.cosigner for one in gov.attested.values() if one.officer == name and one.cosigner != cosigner]
    if others:
        raise _Disregard(f"`{name}` attested for `{others[0]}` before: each key has a custodian of its own")
    statement = attest_statement(
        vault_name=vault.name,
        vault_id=vault.vault_id,
        network=vault.network,
        first_address=vault.first_address,
        cosigner=cosigner,
    )
    _require(lambda: require_signed(signature, statement, officer))
    return replace(gov, attested={**gov.attested, cosigner: Attested(cosigner, name, officer.key.blob, entry.seq)})


def _checkpoint(gov: GovernanceState, entry: Entry, vault: VaultFacts) -> GovernanceState:
    body = fields_of(entry.body, "the body", ("officer", "entries", "head", "time", "governance", "signature"))
    name, signature = text_of(body["officer"], "officer"), text_of(body["signature"], "signature")
    length, head = integer_of(body["entries"], "entries"), hash_of(body["head"], "head")
    time, governance = text_of(body["time"], "time"), text_of(body["governance"], "governance")
    officer = gov.officers.get(name)
    if officer is None or not 0 < length <= entry.seq:
        raise _Disregard("no such officer in force, or it counts entries that were not there")
    statement = checkpoint_statement(
        vault_id=vault.vault_id,
        network=vault.network,
        journal_id=entry.journal_id,
        length=length,
        head=head,
        time=time,
        governance=governance,
    )
    _require(lambda: require_signed(signature, statement, officer))
    return replace(gov, checkpoints=(*gov.checkpoints, Checkpoint(name, length, head, time, signature, entry.seq)))


def _problem(gov: GovernanceState, change: Change) -> str | None:
    """Return why the change can't be the next statement: it builds on another head, or makes no sense now."""
    head = None if gov.head is None else gov.head.digest
    if (change.number, change.predecessor) != (gov.next_number, head):
        return f"it is number {change.number}, the next is {gov.next_number}, or it builds on another statement"
    return change_problem(gov, change)


def _require(check: Callable[[], None]) -> None:
    """Turn a refused signature into an entry that counts for nothing."""
    try:
        check()
    except (UpgradeNeeded, Altered):
        raise
    except CustodyError as error:
        raise _Disregard(error.message) from error


_STEPS = {
    OFFICER_NAMED: _named,
    OFFICER_UNNAMED: _unnamed,
    CHANGE_PROPOSED: _proposed,
    CHANGE_SIGNED: _signed,
    ATTESTED: _attested,
    CHECKPOINT: _checkpoint,
}
