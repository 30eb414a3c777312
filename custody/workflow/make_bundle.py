"""Make the bundle with which a signer checks a proposal offline: from the journal, at its head.

Everything that gives authority goes in since the founding, so that the signer's pin needs no
state of its own. What was made is folded again before it leaves: a bundle that says other than
this journal would be refused by every signer, and is refused here first.
"""

from collections.abc import Iterable, Sequence

from custody.audit.bundle import CARRIED_KINDS, Bundle, TimedEntry
from custody.audit.bundle_claims import Claims, CoinClaim, OwnAddressClaim, StartClaim
from custody.audit.fold_bundle import fold_bundle
from custody.audit.fold_governance import CHECKPOINT
from custody.audit.fold_statements import STATEMENT
from custody.audit.governance import Checkpoint, GovernanceState
from custody.audit.journal import Entry
from custody.audit.proposal_state import replacement_chain
from custody.audit.signing_start import signing_start
from custody.audit.spend_facts import history_of, request_of, statements_in_force
from custody.audit.state import ProposalRecord, State
from custody.audit.trust_pin import newest_checkpoint
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code
from custody.errors import CheckFailed, Conflict
from custody.policy.facts import OwnOutputFact
from custody.spend.document import integer_of
from custody.vault.vault import Vault
from custody.workflow.decide import start_that_counts
from custody.workflow.office import Office

_OBSERVED = "chain_observed"


def make_bundle(office: Office, record: ProposalRecord, psbt: Psbt) -> Bundle:
    """Return the bundle of a proposal; `psbt` is its PSBT with the signatures so far.

    Raises:
        Conflict: NOT_FOUNDED, nothing is governed.
        CheckFailed: BUNDLE_MISMATCH, what was made does not say what the journal says.
    """
    state = office.state
    if not state.governance.is_founded:
        raise Conflict(
            Code.NOT_FOUNDED,
            "no officers and no policy are in force: there is nothing that a bundle could show",
            advice="Hand over the PSBT alone, or found the vault with `custody vault found`.",
        )
    chain = replacement_chain(state, record)
    carried, about = _carried(office), {one.seq for each in chain for one in each.statements}
    timed = tuple(_timed(office.entries))
    bundle = Bundle(
        vault=office.vault,
        psbt=psbt,
        proposal=record.proposal,
        replaced=tuple(one.proposal for one in chain[:-1]),
        governance=tuple(one for one in timed if one.entry.seq in carried),
        statements=tuple(one for one in timed if one.entry.kind == STATEMENT and one.entry.seq in about),
        claims=_claims(state, office.vault, record),
    )
    _require_same(bundle, office, chain)
    return bundle


def _carried(office: Office) -> set[int]:
    """Return the entries of governance that go in: those that counted, and of checkpoints the newest head's."""
    idle = {one.seq for one in office.state.governance.disregarded}
    own = _own_checkpoints(office)
    newest = newest_checkpoint(own)
    checkpoints = {one.seq for one in own if newest is not None and one.head == newest.head}
    counted = {one.seq for one in office.entries if one.kind in CARRIED_KINDS - {CHECKPOINT} and one.seq not in idle}
    return counted | checkpoints


def _own_checkpoints(office: Office) -> tuple[Checkpoint, ...]:
    """Return the checkpoints of this very journal: one officer could sign a head that it never had."""
    entries = office.entries
    return tuple(
        one
        for one in office.state.governance.checkpoints
        if one.length <= len(entries) and entries[one.length - 1].hash == one.head
    )


def _timed(entries: Iterable[Entry]) -> Iterable[TimedEntry]:
    """Yield each entry with the highest median time past that the journal had seen when it counted."""
    time = 0
    for entry in entries:
        if entry.tip is not None:
            time = max(time, entry.tip.median_time_past)
        yield TimedEntry(entry, time)
        tip = entry.body.get("tip")
        if entry.kind == _OBSERVED and isinstance(tip, dict):
            time = max(time, integer_of(tip.get("median_time_past"), "median_time_past"))


def _claims(state: State, vault: Vault, record: ProposalRecord) -> Claims:
    start = signing_start(vault, record)
    statements = statements_in_force(state.governance, record, start_that_counts(state, vault, record))
    request, history = request_of(state, vault, record, statements), history_of(state, record, statements)
    if state.tip is None:
        raise Conflict(Code.SYNC_NEEDED, "the chain was never read", advice="Run `custody coins sync` first.")
    return Claims(
        height=state.tip.height,
        block_hash=state.tip.block_hash,
        time=history.now,
        coins=tuple(
            CoinClaim(OutPoint.parse(one.outpoint), one.confirmations, one.label, one.is_frozen)
            for one in request.inputs
        ),
        own_addresses=tuple(_own_addresses(request.own_outputs)),
        spends=history.spends,
        outflows=history.outflows,
        signing_start=None if start is None else StartClaim(start.seq, start.time),
    )


def _own_addresses(outputs: Iterable[OwnOutputFact]) -> Iterable[OwnAddressClaim]:
    by_address = {one.address: one for one in outputs}
    return (OwnAddressClaim(one.address, one.was_used, one.balance_after) for one in by_address.values())


def _require_same(bundle: Bundle, office: Office, chain: Sequence[ProposalRecord]) -> None:
    folded = fold_bundle(Bundle.from_bytes(bundle.to_bytes()))
    same = (
        _authority(folded.governance) == _authority(office.state.governance)
        and newest_checkpoint(folded.governance.checkpoints) == newest_checkpoint(_own_checkpoints(office))
        and [one.statements for one in (*folded.replaced, folded.record)] == [one.statements for one in chain]
        and not folded.refused
        and not folded.governance.disregarded
    )
    if not same:
        raise CheckFailed(
            Code.BUNDLE_MISMATCH,
            "the bundle that was made does not say what the journal says",
            advice="Nothing was written. Verify the journal with `custody journal verify`, then report this.",
        )


def _authority(gov: GovernanceState) -> tuple[object, ...]:
    return (
        gov.statements,
        gov.officers,
        gov.revoked_at,
        gov.policy,
        gov.highest_version,
        gov.suspended_by,
        {name: (one.entry, one.usable_from) for name, one in gov.allowlist.items()},
        gov.time,
    )
