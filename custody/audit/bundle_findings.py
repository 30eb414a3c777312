"""What is wrong with a bundle, as findings: with its governance, its statements, its proposal against the PSBT.

A bundle that an office made has none of these but the notes: its entries all count, its proposal
says what its PSBT does, its claims cover every coin and address. Anything else was changed on the
way, or hides something, and refuses.
"""

import re
from collections import Counter
from collections.abc import Iterator

from custody.audit.bundle import Bundle
from custody.audit.fold_bundle import FoldedBundle
from custody.audit.fold_governance import CHANGE_PROPOSED, CHECKPOINT
from custody.audit.governance import GovernanceState
from custody.audit.spend_facts import approvals_in_force
from custody.audit.trust_pin import newest_checkpoint
from custody.codes import Code
from custody.errors import Finding, JsonValue, Severity
from custody.people.change import Change
from custody.people.statement import GovernanceRef
from custody.spend.document import fields_of, hash_of, integer_of, text_of
from custody.spend.expiry import format_time
from custody.spend.review_findings import TX, note, refuse, warn
from custody.spend.review_model import Review
from custody.vault.vault import Vault

_REFERENCE = re.compile(r"(?P<number>0|[1-9][0-9]{0,8}) (?P<digest>[0-9a-f]{64})", re.ASCII)
_NONE_NAMED = GovernanceRef(2**53, "0" * 64)
"""Stands for a reference that can't be read: no chain has it."""


def governance_findings(bundle: Bundle, folded: FoldedBundle) -> list[Finding]:
    """Return what counts for nothing in it, and where something names a statement that it doesn't hold."""
    gov = folded.governance
    gaps = list(_gap_findings(bundle, gov))
    known = {one.where for one in gaps}
    idle = [
        *((Code.AUTHORITY_REFUSED, one) for one in gov.disregarded),
        *((Code.APPROVER_NOT_AUTHORISED, one) for one in folded.refused),
    ]
    findings = [
        refuse(code, at_entry(one.seq), f"it counts for nothing: {one.words}")
        for code, one in idle
        if at_entry(one.seq) not in known
    ]
    return [*gaps, *findings, *_checkpoint_findings(bundle, gov), *_void_findings(folded)]


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
    return [*findings, *_claim_findings(bundle, review)]


def unverified_notes(bundle: Bundle, folded: FoldedBundle) -> list[Finding]:
    """Say in words what nobody can check offline."""
    claims, gov = bundle.claims, folded.governance
    others = f"{len(claims.spends)} other payment(s) and {len(claims.outflows)} outflow(s) that the limits count"
    newest = newest_checkpoint(gov)
    checked = (
        "no checkpoint is in it"
        if newest is None
        else f"the newest checkpoint, by {newest.officer} at {newest.time}, counts {newest.length} entries"
    )
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
    holding = approvals_in_force(folded.governance, folded.record)
    for one in (one for one in folded.record.statements if one.kind == "approve" and one not in holding):
        words = f"`{one.officer}`'s approval does not count: the key was revoked"
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
