"""The report of a period: figures by hand, and whatever happened it reconciles or it is not made."""

import csv
import io
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.audit.chain_view import owned_coins
from custody.audit.history import RowKind, history_of_coins
from custody.audit.report.csv_form import report_csv
from custody.audit.report.json_form import report_json
from custody.audit.report.period import Asked, DaysAsked, HeightsAsked
from custody.audit.report.report import JournalSource, Report, ReportTerms, build_report
from custody.audit.report.sums import require_reconciled, sums_of
from custody.bitcoin.amount import Sats
from custody.codes import Code
from custody.errors import Altered, ChainUnavailable, CheckFailed, InvalidInput, Severity
from custody.people.statement import StatementKind
from custody.spend.expiry import format_time
from support.demo_reserve import DEMO_POLICY, QUARTER, DemoReserve, demo_vault, outside, report_of, the_demo
from support.governed import GovernedLedger
from support.governed import simulated_vault as governed_vault
from support.ledger import OUTSIDE, OUTSIDE_SCRIPT, Ledger, block_hash
from support.review_cases import simulated_vault

VAULT = simulated_vault()
BTC = 100_000_000


def report(ledger: Ledger, asked: Asked | None = None, *, recent_blocks: int = 144) -> Report:
    source = JournalSource("test", ledger.entries[-1].hash, len(ledger.entries))
    asked = asked or HeightsAsked(0, ledger.height)
    return build_report(ledger.state, ledger.vault, ReportTerms(asked, source, {}, None, recent_blocks))


def with_a_coin() -> Ledger:
    ledger = Ledger(VAULT)
    ledger.receive(BTC)
    return ledger


def codes(made: Report) -> list[str]:
    return [str(one.code) for one in made.findings]


def test_the_figures_of_a_small_vault_by_hand() -> None:
    ledger = Ledger(VAULT)
    ledger.issue(0, "donation")
    ledger.receive(3 * BTC, index=0)  # in block 201, buried to 206
    drafted = ledger.draft((OUTSIDE, BTC), reason="grant 17")
    fee = drafted.proposal.fee
    ledger.mine(1, ledger.finalize(ledger.propose(drafted)))  # in block 207
    ledger.receive(5_000, 7_000, index=1)  # in block 208, buried to 213

    made = report(ledger, HeightsAsked(202, 207))
    assert made.sums.opening == 3 * BTC
    assert (made.sums.inflows, made.sums.outflows, made.sums.fees) == (0, BTC, fee)
    assert made.sums.closing == 2 * BTC - fee == sum(coin.value for coin in made.coins)
    assert [row.kind for row in made.rows if row.amount] == [RowKind.PAID, RowKind.FEE]
    (paid,) = made.outflows
    assert (paid.paid, paid.fee, paid.change) == (BTC, fee, 2 * BTC - fee)
    assert paid.proposal is not None and paid.proposal.proposal.reason == "grant 17"
    assert [(one.name, one.count) for one in made.ages if one.count] == [("up to a day", 1)]
    assert [(one.name, one.value) for one in made.sizes if one.count] == [("1 to under 10", 2 * BTC - fee)]

    whole = report(ledger)
    assert whole.sums.opening == 0
    assert [(one.label, one.value, one.count) for one in whole.inflows] == [("donation", 3 * BTC, 1), (None, 12_000, 2)]
    assert whole.sums.closing == 2 * BTC - fee + 12_000


def test_who_stands_behind_a_payment() -> None:
    made = report_of(the_demo(), QUARTER)
    large = max(made.outflows, key=lambda one: one.paid)
    assert large.people is not None
    assert large.people.drafted_by == "dora"
    assert [one.officer for one in large.people.approvers] == ["ann", "bo", "cy"]
    assert all(one.counts for one in large.people.approvers)
    assert large.people.signing.signed == ("treasury", "ministry", "central-bank")
    assert large.people.signing.is_complete
    assert {row.payee: row.value for row in large.rows} == {"exchange-desk": 45 * BTC, "grid-operator": 2 * BTC}


def test_a_signature_that_nobody_made_signs_nothing() -> None:
    ledger = Ledger(VAULT)
    ledger.receive(3 * BTC)
    proposal_id = ledger.propose(ledger.draft((OUTSIDE, BTC)))
    ledger.sign(proposal_id, 0, 1)  # bytes in the journal that are no signatures
    ledger.mine(1, ledger.finalize(proposal_id))
    made = report(ledger)
    (paid,) = made.outflows
    assert paid.people is not None
    assert paid.people.signing.signed == ()
    assert "SIGNATURES_MISSING" in codes(made)


def test_an_outflow_that_nothing_explains_is_the_first_finding() -> None:
    ledger = Ledger(VAULT)
    (coin,) = ledger.receive(BTC)
    ledger.mine(1, ledger.spend_elsewhere(coin))
    made = report(ledger)
    assert made.findings[0].code is Code.UNEXPLAINED_OUTFLOW
    assert made.findings[0].severity is Severity.REFUSE
    assert [one.is_explained for one in made.outflows] == [False]


def test_a_payment_that_nobody_approved_is_explained_by_no_draft() -> None:
    ledger = GovernedLedger(governed_vault())
    ledger.mine(1)
    ledger.found()
    ledger.receive(3 * BTC)
    policy = ledger.gov.policy
    assert policy is not None
    for value, approvers in ((BTC, ("ann", "bo")), (BTC // 2, ("ann",))):
        drafted = ledger.draft((OUTSIDE, value), policy_digest=policy.digest, drafter="dora")
        proposal_id = ledger.propose(drafted)
        ledger.sign_proposal(proposal_id, StatementKind.PROPOSE, "dora")
        ledger.sign_proposal(proposal_id, StatementKind.APPROVE, "cy", *approvers)
        for device in (1, 2):
            ledger.sign_really(proposal_id, device)
        ledger.mine(6, ledger.finalize(proposal_id))
    made = report_of(ledger, HeightsAsked(0, ledger.height))
    assert [(one.paid, one.is_explained) for one in made.outflows] == [(BTC, True), (BTC // 2, False)]
    assert made.findings[0].code is Code.UNEXPLAINED_OUTFLOW
    assert "never had its approvals" in made.findings[0].message
    assert [one.people.signing.signed for one in made.outflows if one.people] == [("c1", "c2")] * 2


def test_a_check_that_no_key_signed_for_proves_no_device() -> None:
    proven = {one.cosigner: one.record.is_proven for one in report_of(the_demo()).keys}
    assert proven == {name: name in ("treasury", "ministry", "central-bank") for name in proven}
    reserve = DemoReserve()
    reserve.mine(1)
    reserve.describe()
    check = next(entry.body for entry in reserve.entries if entry.kind == "device_checked")
    told = {**check, "cosigner": "auditor-general", "device": "jade", "firmware": "1.0.38"}
    reserve.add("device_checked", told)
    made = report_of(reserve, HeightsAsked(0, reserve.height))
    assert {one.cosigner: one.record.is_proven for one in made.keys} == proven
    assert any("no new signature by its key" in one.message for one in made.findings)


def test_a_key_that_is_overdue_by_the_policy_stands_out() -> None:
    made = report_of(the_demo())
    assert made.prove_every == 180 * 86_400
    standing = {one.cosigner: (one.is_overdue, None if one.proof is None else str(one.proof.kind)) for one in made.keys}
    assert standing["treasury"] == (False, "payment")
    assert standing["escrow"] == (False, "payment")
    assert [one.where for one in made.findings if one.code is Code.KEY_PROOF_OVERDUE] == []
    idle = DemoReserve()
    idle.mine(1)
    idle.found(DEMO_POLICY)
    idle.describe()
    idle.day(181)
    late = report_of(idle, HeightsAsked(0, idle.height))
    assert [one.where for one in late.findings if one.code is Code.KEY_PROOF_OVERDUE] == [
        f"cosigner:{name}" for name in ("treasury", "ministry", "central-bank", "auditor-general", "escrow")
    ]
    assert [one.age_days for one in late.keys] == [181, 181, 181, None, None]


def test_coins_on_an_address_that_was_spent_from_are_exposed_and_no_others() -> None:
    ledger = Ledger(VAULT)
    (first,) = ledger.receive(BTC, index=0)
    ledger.receive(BTC, index=1)
    ledger.mine(1, ledger.spend_elsewhere(first))
    assert "KEYS_EXPOSED" not in codes(report(ledger))
    before = ledger.height
    ledger.receive(70_000, index=0)
    made = report(ledger)
    assert [(one.index, one.value) for one in made.addresses if one.is_exposed] == [(0, 70_000)]
    assert "KEYS_EXPOSED" in codes(made)
    assert "KEYS_EXPOSED" not in codes(report(ledger, HeightsAsked(0, before)))


def test_a_spend_after_the_closing_block_exposed_nothing_at_it() -> None:
    ledger = Ledger(VAULT)
    first, _second = ledger.receive(60_000, 70_000, index=0)
    closing = ledger.height
    ledger.mine(1, ledger.spend_elsewhere(first))
    assert [one.is_exposed for one in report(ledger, HeightsAsked(0, closing)).addresses] == [False]
    assert [one.is_exposed for one in report(ledger, HeightsAsked(0, closing + 1)).addresses] == [True]


def test_the_cap_is_the_policy_s_and_is_reached_without_being_passed() -> None:
    made = report_of(the_demo())
    assert made.cap == 500 * BTC
    above = [one for one in made.addresses if one.is_above_cap]
    assert [one.value for one in above] == [61_925_000_000]
    assert any(one.value == 500 * BTC and not one.is_above_cap for one in made.addresses)
    assert codes(made).count("ADDRESS_ABOVE_CAP") == 1
    assert report(with_a_coin()).cap is None


def test_a85_a_reserve_dressed_for_the_closing_block_shows() -> None:
    ledger = Ledger(VAULT)
    ledger.receive(BTC, deep=300)
    (borrowed,) = ledger.receive(900 * BTC, deep=6)
    closing = ledger.height
    ledger.mine(1, ledger.spend_elsewhere(borrowed))
    ledger.mine(5)
    made = report(ledger, HeightsAsked(0, closing))
    assert (made.late.came, made.late.left, made.late.seen_after) == (900 * BTC, 900 * BTC, 6)
    (told,) = [one for one in made.findings if one.code is Code.MOVES_AROUND_CLOSING]
    assert "900 BTC" in told.message and "left in the 6 observed after it" in told.message
    assert any("liabilities" in one for one in report_json(made)["not_proven"])  # type: ignore[union-attr]
    far = report(ledger, HeightsAsked(0, closing), recent_blocks=3)
    assert (far.late.came, far.late.left) == (0, 900 * BTC)
    assert Code.MOVES_AROUND_CLOSING not in [one.code for one in report(ledger, HeightsAsked(0, 360)).findings]


def test_days_are_placed_by_observed_tips() -> None:
    ledger = the_demo()
    june = report_of(ledger, DaysAsked("2026-06-01", "2026-06-30"))
    july = report_of(ledger, DaysAsked("2026-07-01", "2026-07-31"))
    assert june.sums.closing == july.sums.opening
    assert june.period.closing + 1 == july.period.first
    year = report_of(ledger)
    assert year.sums.opening == 0
    assert {june.day_of(row)[:7] for row in june.rows} == {"2026-06"}
    assert len(june.rows) + len(july.rows) < len(year.rows)
    assert {one.transaction.txid for one in june.outflows}.isdisjoint(one.transaction.txid for one in july.outflows)


def test_what_lies_between_two_observations_is_counted_later_and_said() -> None:
    ledger = Ledger(VAULT)
    ledger.mine(1)
    ledger.receive(BTC, deep=1_000)  # in the first of these blocks, seen after a week
    first, second = (format_time(tip.median_time_past)[:10] for tip in ledger.state.tips)
    assert first < second
    early = report(ledger, DaysAsked(first, first))
    assert (early.sums.closing, early.rows) == (0, ())
    assert "BLOCK_TIME_UNKNOWN" in codes(early)
    late = report(ledger, DaysAsked(second, second))
    assert (late.sums.opening, late.sums.closing) == (0, BTC)
    assert {"BLOCK_TIME_UNKNOWN", "PERIOD_NOT_OVER"} <= set(codes(late))


def test_a_reorganization_takes_its_tips_along() -> None:
    ledger = Ledger(VAULT)
    ledger.mine(10)
    ledger.fork, ledger.height = 1, 205
    ledger.observe()
    assert [(tip.height, tip.block_hash) for tip in ledger.state.tips] == [(205, block_hash(205, 1))]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (HeightsAsked(0, 9_999), "block 9999 was not observed yet"),
        (DaysAsked("2001-01-01", "2001-02-01"), "after the period's end"),
    ],
)
def test_a_period_outside_what_was_observed_is_refused(asked: Asked, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as refused:
        report(with_a_coin(), asked)
    assert refused.value.code is Code.REPORT_PERIOD


@pytest.mark.parametrize(
    "days",
    [
        ("2026-02-30", "2026-03-01"),
        ("2026-03-02", "2026-03-01"),
        ("20260301", "2026-03-02"),
        ("٢٠٢٦-01-01", "2026-01-02"),
    ],
)
def test_days_that_make_no_period_are_refused(days: tuple[str, str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        DaysAsked(*days)
    assert refused.value.code is Code.REPORT_PERIOD


def test_without_an_observation_there_is_no_report() -> None:
    with pytest.raises(ChainUnavailable) as refused:
        report(Ledger(VAULT), DaysAsked("2026-01-01", "2026-01-02"))
    assert refused.value.code is Code.SYNC_INCOMPLETE


def test_an_output_that_the_vault_does_not_derive_is_no_figure() -> None:
    ledger = with_a_coin()
    state = ledger.state
    (seen,) = state.transactions.values()
    false = replace(seen, outputs=(replace(seen.outputs[0], script_pubkey=OUTSIDE_SCRIPT),))
    terms = ReportTerms(HeightsAsked(0, ledger.height), JournalSource("test", "00" * 32, 2), {})
    with pytest.raises(Altered):
        build_report(replace(state, transactions={seen.txid: false}), VAULT, terms)


def test_an_input_that_claims_another_value_does_not_reconcile() -> None:
    ledger = Ledger(VAULT)
    (coin,) = ledger.receive(BTC)
    ledger.mine(1, ledger.spend_elsewhere(coin))
    state = ledger.state
    spender = next(seen for seen in state.transactions.values() if seen.is_outflow)
    false = replace(spender, inputs=(replace(spender.inputs[0], value=Sats(BTC - 1)),))
    terms = ReportTerms(HeightsAsked(0, ledger.height), JournalSource("test", "00" * 32, 2), {})
    with pytest.raises(CheckFailed, match="closing balance is 1 sat by the rows and 0 sat by the coins") as refused:
        build_report(replace(state, transactions={**state.transactions, false.txid: false}), VAULT, terms)
    assert refused.value.code is Code.REPORT_UNRECONCILED


def test_the_csv_adds_up_to_the_change_of_the_balance() -> None:
    made = report_of(the_demo(), QUARTER)
    rows = list(csv.DictReader(io.StringIO(report_csv(made).decode(), newline="")))
    assert sum(int(row["amount_sats"]) for row in rows) == made.sums.closing - made.sums.opening
    assert {row["day"][:4] for row in rows} == {"2026"}
    assert "price" not in rows[0]
    paid = [row for row in rows if row["kind"] == "paid"]
    assert {row["address"] for row in paid} <= {outside(number) for number in (1, 2, 3, 4)}


def test_the_json_says_what_it_rests_on() -> None:
    made = report_of(the_demo())
    told = report_json(made)
    assert told["format"] == "custody-report/1"
    assert told["vault_id"] == demo_vault().vault_id
    balance = told["balance"]
    assert isinstance(balance, dict)
    assert balance["closing_sats"] == balance["coins_at_closing_sats"] == made.sums.closing
    assert told["fiat"] is None
    for key in ("verified", "claimed", "not_proven", "check", "rules"):
        assert told[key]
    assert any(made.source.head in str(one) for one in told["check"])  # type: ignore[union-attr]


@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_random_histories_reconcile_and_a_dropped_row_is_caught(data: st.DataObject) -> None:
    ledger = _random_ledger(data)
    first = data.draw(st.integers(190, ledger.height))
    asked = HeightsAsked(first, data.draw(st.integers(first, ledger.height)))
    made = report(ledger, asked)
    sums = made.sums
    assert sums.opening + sums.inflows - sums.outflows - sums.fees == sums.closing
    assert sum(row.amount for row in made.rows) == sums.closing - sums.opening
    assert sum(one.value for one in made.addresses) == sum(coin.value for coin in made.coins) == sums.closing
    for classes in (made.ages, made.sizes):
        assert sum(one.value for one in classes) == sums.closing
        assert sum(one.count for one in classes) == len(made.coins)
    told = report(ledger, HeightsAsked(0, asked.last))
    assert told.sums.closing == sums.closing

    moving = [row for row in history_of_coins(ledger.state) if row.amount and row.transaction.height <= asked.last]  # type: ignore[operator]
    if moving:
        dropped = data.draw(st.sampled_from(moving))
        rows = [row for row in history_of_coins(ledger.state) if row != dropped]
        opening = sum(coin.value for coin in report(ledger, HeightsAsked(0, max(0, first - 1))).coins)
        with pytest.raises(CheckFailed):
            require_reconciled(sums_of(rows, made.period), opening=opening, closing=sums.closing)


def _random_ledger(data: st.DataObject) -> Ledger:
    ledger = Ledger(VAULT)
    ledger.mine(1)
    for _step in range(data.draw(st.integers(0, 6))):
        coins = [one for one in owned_coins(ledger.state) if not one.hold_reasons(ledger.height) and one.value > 15_000]
        match data.draw(st.sampled_from(["receive", "pay", "elsewhere"])):
            case "pay" if coins:
                ledger.mine(
                    1, ledger.finalize(ledger.propose(ledger.draft((OUTSIDE, data.draw(st.integers(1_000, 9_000))))))
                )
            case "elsewhere" if coins:
                coin = data.draw(st.sampled_from(coins))
                home = ledger.vault.deriver.at(0, 5).script_pubkey
                to = data.draw(st.sampled_from([OUTSIDE_SCRIPT, home]))
                ledger.mine(1, ledger.spend_elsewhere(coin.outpoint, to=to))
            case _:
                values = data.draw(st.lists(st.integers(20_000, 10 * BTC), min_size=1, max_size=3))
                ledger.receive(*values, index=data.draw(st.integers(0, 3)))
    return ledger
