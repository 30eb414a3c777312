"""What is wrong with a bundle, as findings: with its governance, its statements, its proposal against the PSBT.

A bundle that an office made has none of these but the notes: its entries all count, its proposal
says what its PSBT does, its claims cover every coin and address. Anything else was changed on the
way, or hides something, and refuses.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from custody.audit.bundle import Bundle
from custody.audit.fold_bundle import FoldedBundle
from custody.audit.fold_governance import CHANGE_PROPOSED, CHECKPOINT
from custody.audit.governance import GovernanceState
from custody.audit.trust_pin import newest_checkpoint, signers_of
from custody.audit.waited_changes import change_words, status_words
from custody.codes import Code
from custody.errors import Finding, JsonValue, Severity
from custody.people.change import Change
from custody.people.statement import GovernanceRef
from custody.spend.document import fields_of, hash_of, integer_of, text_of
from custody.spend.expiry import format_time
from custody.spend.proposal import Proposal
from custody.spend.psbt_builder import push_script
from custody.spend.replacement_rules import relation_problem
from custody.spend.review_findings import TX, note, refuse, warn
from custody.spend.review_model import Review
from custody.vault.vault import Vault

_REFERENCE = re.compile(r"(?P<number>0|[1-9][0-9]{0,8}) (?P<digest>[0-9a-f]{64})", re.ASCII)
_NONE_NAMED = GovernanceRef(2**53, "0" * 64)
"""Stands for a reference that can't be read: no chain has it."""
_REDEEM_SCRIPT_SIZE = 34
"""Of a P2WSH output in P2SH."""


def governance_findings(bundle: Bundle, folded: FoldedBundle) -> list[Finding]:
    """Return what counts for nothing in it, and where something names a statement that it doesn't hold.

    Its times are believed here; what rests on them alone is `unsettled_findings`' to say.
    """
    gov = folded.claimed.governance
    gaps = list(_gap_findings(bundle, gov))
    known = {one.where for one in gaps}
    idle = [
        *((Code.AUTHORITY_REFUSED, one) for one in gov.disregarded),
        *((Code.APPROVER_NOT_AUTHORISED, one) for one in folded.claimed.refused),
    ]
    findings = [
        refuse(code, at_entry(one.seq), f"it counts for nothing: {one.words}")
        for code, one in idle
        if at_entry(one.seq) not in known
    ]
    return [*gaps, *findings, *_checkpoint_findings(bundle, gov), *_void_findings(folded)]


def unsettled_findings(folded: FoldedBundle) -> list[Finding]:
    """Return the changes that only the bundle's times bring into force, refused where the payment rests on one."""
    rests = _rests_on_unsettled(folded)
    advice = "Ask the officers whether anybody refused it, then carry your pin on with `custody pin advance`."
    found = []
    for one in folded.unsettled:
        words = f"{change_words(one)}; {status_words(one)}: it had to wait, and your pin has not settled it, so that "
        words += "nothing but the bundle says so"
        where = f"statement:{one.change.number}"
        if rests:
            found.append(refuse(Code.GOVERNANCE_UNSETTLED, where, f"{words}; this payment may rest on it", advice))
        else:
            found.append(warn(Code.GOVERNANCE_UNSETTLED, where, f"{words}; nothing here rests on it", advice))
    return found


def _rests_on_unsettled(folded: FoldedBundle) -> bool:
    """Tell whether another policy, another chain of statements, or fewer entries count without what is unsettled."""
    ours, theirs = folded.governance, folded.claimed.governance
    idle = {one.seq for one in (*ours.disregarded, *folded.refused)}
    idle_as_claimed = {one.seq for one in (*theirs.disregarded, *folded.claimed.refused)}
    return (ours.policy, ours.statements, ours.revoked_at, ours.suspended_by, idle) != (
        theirs.policy,
        theirs.statements,
        theirs.revoked_at,
        theirs.suspended_by,
        idle_as_claimed,
    )


def relation_findings(bundle: Bundle) -> list[Finding]:
    """Return where a proposal of the chain isn't the replacement that it says: its kind alone asks fewer people."""
    found = []
    before: Proposal | None = None
    for one in (*bundle.replaced, bundle.proposal):
        problem = relation_problem(one, before, None if before is None else _final_txid(bundle, before, one))
        if problem is not None:
            found.append(refuse(Code.BUNDLE_MISMATCH, f"proposal:{one.proposal_id[:16]}", problem))
        before = one
    return found


def _final_txid(bundle: Bundle, replaced: Proposal, by: Proposal) -> str | None:
    """Return the finished transaction's txid; as `by` says where the redeem scripts of other coins would be needed."""
    scripts = {one.outpoint: one.redeem_script for one in bundle.psbt.inputs}
    if not any(scripts.values()):
        return replaced.unsigned_txid
    if any(len(scripts.get(one) or b"") != _REDEEM_SCRIPT_SIZE for one in replaced.inputs):
        return by.replaces_txid
    unsigned = replaced.unsigned_transaction
    inputs = tuple(replace(one, script_sig=push_script(scripts[one.outpoint])) for one in unsigned.inputs)
    return replace(unsigned, inputs=inputs).txid


def proposal_findings(bundle: Bundle, review: Review, vault: Vault) -> list[Finding]:
    """Return where the proposal that people approved is another than what the PSBT does."""
    proposal = bundle.proposal
    findings: list[Finding] = []
    if (proposal.vault_id, proposal.network) != (vault.vault_id, vault.network):
        words = f"the proposal is for vault `{proposal.vault_id}` on {proposal.network}"
        findings.append(refuse(Code.BUNDLE_MISMATCH, "proposal", f"{words}, not for yours"))
    if bundle.psbt.unsigned_txid != proposal.unsigned_txid:
        words = f"the PSBT's transaction is `{bundle.psbt.unsigned_txid}`, the approvals are about"
        return [*findings, refuse(Code.TXID_NOT_APPROVED, TX, f"{words} `{proposal.unsigned_txid}`")]
    if review.fee is not None and review.fee != proposal.fee:
        words = f"people approved a fee of {proposal.fee} sat, the PSBT pays {review.fee} sat"
        findings.append(refuse(Code.BUNDLE_MISMATCH, TX, words))
    ours = Counter((one.place.branch, one.place.index, one.value) for one in review.outputs if one.place is not None)
    stated = Counter((one.branch, one.index, one.value) for one in proposal.change)
    if stated - ours:
        words = "what people approved as change does not come back to the vault"
        findings.append(refuse(Code.BUNDLE_MISMATCH, "proposal", words))
    return [*findings, *relation_findings(bundle), *_claim_findings(bundle, review)]


def unverified_notes(bundle: Bundle, folded: FoldedBundle) -> list[Finding]:
    """Say in words what nobody can check offline."""
    claims, gov = bundle.claims, folded.claimed.governance
    others = f"{len(claims.spends)} other payment(s) and {len(claims.outflows)} outflow(s) that the limits count"
    newest = newest_checkpoint(gov.checkpoints)
    checked = "no checkpoint is in it"
    if newest is not None:
        signers = ", ".join(signers_of(gov.checkpoints, newest.head))
        checked = f"the newest checkpoint, by {signers} at {newest.time}, counts {newest.length} entries"
    head = "nothing" if gov.head is None else f"statement {gov.head.number}"
    advice = "Ask the office over another channel where it matters."
    return [
        note(
            Code.CLAIMS_UNVERIFIED,
            "claims",
            f"only the bundle's maker says: the chain's time {format_time(claims.time)} (height {claims.height}), and "
            f"so waiting times and hours; confirmations, labels and freezes of coins; use of own addresses; {others}",
            advice,
        ),
        note(
            Code.CLAIMS_UNVERIFIED,
            "expiry",
            f"it expires at {bundle.proposal.expires}; whether it is over, withdrawn or replaced is not known offline",
            advice,
        ),
        note(
            Code.CLAIMS_UNVERIFIED,
            "governance",
            f"the bundle knows governance up to {head}; {checked}: a revocation or suspension after that is not "
            "known offline",
            advice,
        ),
    ]


def at_entry(seq: int) -> str:
    """Return the place of a finding about one entry."""
    return f"entry:{seq}"


def _gap_findings(bundle: Bundle, gov: GovernanceState) -> Iterator[Finding]:
    for seq, what, ref in _named_references(bundle, gov):
        if gov.knows(ref):
            continue
        there = "none" if ref.number >= len(gov.statements) else f"another, {gov.statements[ref.number].digest}"
        named = "one that can't be read" if ref is _NONE_NAMED else f"{ref.number} ({ref.digest})"
        yield refuse(
            Code.GOVERNANCE_GAP, at_entry(seq), f"{what} names governance statement {named}, the bundle has {there}"
        )
    for timed in bundle.governance:
        if timed.entry.kind == CHANGE_PROPOSED:
            change = Change.from_document(timed.entry.body.get("change"))
            if change.number > len(gov.statements):
                words = f"change number {change.number} is in it, the statements before it are only"
                yield refuse(Code.GOVERNANCE_GAP, at_entry(timed.entry.seq), f"{words} {len(gov.statements)}")


def _named_references(bundle: Bundle, gov: GovernanceState) -> Iterator[tuple[int, str, GovernanceRef]]:
    """Yield every governance statement that a signed statement names; shapes were read by the fold."""
    for timed in bundle.statements:
        yield (
            timed.entry.seq,
            f"`{timed.entry.body['officer']}`'s statement",
            _reference_of(timed.entry.body["governance"]),
        )
    signed = {one.seq for one in gov.checkpoints}
    for timed in bundle.governance:
        if timed.entry.kind == CHECKPOINT and timed.entry.seq in signed:
            found = _REFERENCE.fullmatch(text_of(timed.entry.body["governance"], "governance"))
            ref = _NONE_NAMED if found is None else GovernanceRef(int(found["number"]), found["digest"])
            yield timed.entry.seq, f"`{timed.entry.body['officer']}`'s checkpoint", ref


def _reference_of(value: JsonValue) -> GovernanceRef:
    found = fields_of(value, "governance", ("number", "digest"))
    return GovernanceRef(integer_of(found["number"], "number"), hash_of(found["digest"], "digest"))


def _checkpoint_findings(bundle: Bundle, gov: GovernanceState) -> Iterator[Finding]:
    hashes = {timed.entry.seq: timed.entry.hash for timed in bundle.entries}
    for one in gov.checkpoints:
        there = hashes.get(one.length - 1)
        if there is not None and there != one.head:
            words = f"`{one.officer}` signed head {one.head} of {one.length} entries, the bundle has {there} there"
            yield refuse(Code.JOURNAL_FORK, at_entry(one.seq), words)


def _void_findings(folded: FoldedBundle) -> Iterator[Finding]:
    holding = folded.statements
    for one in (one for one in folded.record.statements if one not in holding):
        what = "approval" if one.kind == "approve" else "draft"
        words = f"`{one.officer}`'s {what} does not count: the key was revoked"
        yield warn(Code.APPROVER_NOT_AUTHORISED, at_entry(one.seq), words, "Others have to approve in that place.")


def _claim_findings(bundle: Bundle, review: Review) -> Iterator[Finding]:
    """A bundle claims something of each coin and own address of its transaction, and of no other."""
    coins = {one.outpoint for one in bundle.claims.coins}
    addresses = {one.address for one in bundle.claims.own_addresses}
    if coins != {one.outpoint for one in review.inputs}:
        yield Finding(
            Code.BUNDLE_MISMATCH, Severity.REFUSE, "claims", "its claims are about other coins", "Ask for a new bundle."
        )
    if addresses != {one.address for one in review.outputs if one.place is not None}:
        yield Finding(
            Code.BUNDLE_MISMATCH,
            Severity.REFUSE,
            "claims",
            "its claims are about other addresses of ours",
            "Ask for a new bundle.",
        )
