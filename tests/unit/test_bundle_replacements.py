"""Bumps and cancels offline: what says that it replaces something has to, or the easier section is not its own."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from custody.audit.chain_view import coins_of
from custody.bitcoin.amount import FeeRate
from custody.bitcoin.descriptor import ScriptType
from custody.spend.coin_selection import FeeTarget
from custody.spend.draft import Draft
from custody.spend.proposal import ProposalKind
from support.bundles import PAID, Signer, approved, forged, founded, pin_of
from support.governed import GovernedLedger
from support.ledger import OUTSIDE
from support.rehearsal import stranger
from support.review_cases import simulated_vault

DEAR = FeeTarget(FeeRate(20_000))


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    """A signer with a folder of their own."""
    return Signer(tmp_path)


@pytest.fixture
def ledger() -> GovernedLedger:
    """A founded vault in which one payment was approved."""
    made = founded()
    approved(made)
    return made


def first_of(ledger: GovernedLedger) -> Any:
    return next(iter(ledger.state.proposals.values()))


def draft(ledger: GovernedLedger, kind: ProposalKind, *payees: tuple[str, int | None], **fields: Any) -> Draft:
    """Draft something that says it replaces the ledger's one payment, as far as `fields` let it."""
    policy, record = ledger.gov.policy, first_of(ledger)
    assert policy is not None
    replaces = {
        "replaces": record.proposal_id,
        "replaces_txid": record.final_txid,
        "replaced": frozenset(ledger.state.proposals),
        "named": record.proposal.inputs,
    }
    return ledger.draft(
        *payees, kind=kind, fee=DEAR, policy_digest=policy.digest, drafter="dora", **{**replaces, **fields}
    )


def refusals(signer: Signer, ledger: GovernedLedger, made: Draft, **changes: Any) -> list[str]:
    """Return what a signer refuses a draft for that its drafter and two approvers and the board signed."""
    proposal = replace(made.proposal, **changes)
    replaced = first_of(ledger).proposal_id if proposal.replaces is not None else ""
    bundle = forged(ledger, proposal, ledger.psbt_of(made), "ann", "bo", "cy", replaced=replaced)
    signer.trust(pin_of(bundle))
    result = signer.review(bundle)
    refused = [one for one in result.json["findings"] if one["severity"] == "refuse"]
    assert result.exit_code == (3 if refused else 0), result.stdout
    assert {one["code"] for one in refused} <= {"BUNDLE_MISMATCH", "POLICY_DENIED"}
    return [one["message"] for one in refused if one["code"] == "BUNDLE_MISMATCH"]


def other_coins(ledger: GovernedLedger) -> tuple[Any, ...]:
    spent = first_of(ledger).proposal.inputs
    return tuple(one.outpoint for one in coins_of(ledger.state, ledger.vault) if one.outpoint not in spent)


def test_an_honest_bump_and_an_honest_cancel_are_what_they_say(signer: Signer, ledger: GovernedLedger) -> None:
    assert refusals(signer, ledger, draft(ledger, ProposalKind.BUMP, (OUTSIDE, PAID))) == []
    assert refusals(signer, ledger, draft(ledger, ProposalKind.CANCEL)) == []


@pytest.mark.parametrize("kind", [ProposalKind.CANCEL, ProposalKind.BUMP])
def test_what_replaces_nothing_is_no_replacement(signer: Signer, ledger: GovernedLedger, kind: ProposalKind) -> None:
    payees = ((OUTSIDE, PAID),) if kind is ProposalKind.BUMP else ()
    made = draft(ledger, kind, *payees)
    assert refusals(signer, ledger, made, replaces=None, replaces_txid=None) == [f"a {kind} replaces nothing"]


def test_a_cancel_spends_nothing_but_what_it_cancels(signer: Signer, ledger: GovernedLedger) -> None:
    everything = (*first_of(ledger).proposal.inputs, *other_coins(ledger))
    for coins in (other_coins(ledger), everything):
        (told,) = refusals(signer, ledger, draft(ledger, ProposalKind.CANCEL, named=coins))
        assert told == "a cancel spends a coin that what it cancels doesn't"


CASES: dict[str, tuple[Callable[[GovernedLedger], Draft], dict[str, Any], str]] = {
    "a bump of other coins": (
        lambda ledger: draft(ledger, ProposalKind.BUMP, (OUTSIDE, PAID), named=other_coins(ledger)),
        {},
        "shares no coin",
    ),
    "a bump to somebody else": (
        lambda ledger: draft(ledger, ProposalKind.BUMP, (stranger(5), PAID)),
        {},
        "pays others",
    ),
    "another replaced txid": (
        lambda ledger: draft(ledger, ProposalKind.BUMP, (OUTSIDE, PAID)),
        {"replaces_txid": "66" * 32},
        "is not that of the proposal",
    ),
    "no replaced txid": (
        lambda ledger: draft(ledger, ProposalKind.BUMP, (OUTSIDE, PAID)),
        {"replaces_txid": None},
        "doesn't say which transaction",
    ),
    "a payment that names a txid alone": (
        lambda ledger: draft(ledger, ProposalKind.PAYMENT, (OUTSIDE, PAID)),
        {"replaces": None},
        "and no proposal",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_contradicts_the_replaced_proposal_is_refused(
    signer: Signer, ledger: GovernedLedger, case: tuple[Callable[[GovernedLedger], Draft], dict[str, Any], str]
) -> None:
    make, changes, words = case
    (told,) = refusals(signer, ledger, make(ledger), **changes)
    assert words in told


WRAPPED = simulated_vault(2, 3, ScriptType.SH_WSH_SORTEDMULTI)


def test_the_txid_of_a_wrapped_vault_is_that_of_the_finished_transaction(tmp_path: Path) -> None:
    signer, ledger = Signer(tmp_path, WRAPPED), founded(WRAPPED)
    approved(ledger)
    record = first_of(ledger)
    assert record.final_txid != record.proposal.unsigned_txid
    bump = draft(ledger, ProposalKind.BUMP, (OUTSIDE, PAID))
    assert refusals(signer, ledger, bump) == []
    (told,) = refusals(signer, ledger, bump, replaces_txid=record.proposal.unsigned_txid)
    assert "is not that of the proposal" in told


def test_a_wrapped_vaults_cancel_of_one_of_two_coins_is_taken_at_its_word_for_the_txid(tmp_path: Path) -> None:
    """The other coin's redeem script is not in the bundle; the officers' statements name the txid."""
    signer, ledger = Signer(tmp_path, WRAPPED), founded(WRAPPED)
    approved(ledger, named=tuple(one.outpoint for one in coins_of(ledger.state, WRAPPED))[:2])
    record = first_of(ledger)
    assert len(record.proposal.inputs) == 2
    cancel = draft(ledger, ProposalKind.CANCEL, named=record.proposal.inputs[:1])
    assert refusals(signer, ledger, cancel) == []


def test_a_redeem_script_of_any_size_stops_no_review(tmp_path: Path) -> None:
    signer, ledger = Signer(tmp_path, WRAPPED), founded(WRAPPED)
    approved(ledger)
    made = draft(ledger, ProposalKind.BUMP, (OUTSIDE, PAID))
    psbt = ledger.psbt_of(made)
    psbt = psbt.with_input(0, replace(psbt.inputs[0], redeem_script=bytes(300)))
    bundle = forged(ledger, made.proposal, psbt, "ann", "bo", "cy", replaced=first_of(ledger).proposal_id)
    signer.trust(pin_of(bundle))
    assert signer.refused(bundle)
