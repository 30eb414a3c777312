"""The vault's history as rows: one per output, the fee apart, and always the balance as their sum."""

import csv
import io
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.audit.chain_view import balance, owned_coins
from custody.audit.history import HistoryRow, RowKind, history_of_coins
from custody.audit.history_csv import COLUMNS, history_csv
from custody.audit.state import OwnInput, SeenOutput, SeenTransaction, State
from custody.bitcoin.amount import Sats
from custody.bitcoin.transaction import OutPoint
from support.ledger import OUTSIDE, OUTSIDE_SCRIPT, Ledger, block_hash
from support.review_cases import simulated_vault

VAULT = simulated_vault()
BTC = 100_000_000


def told(state: State) -> list[tuple[str, int, int]]:
    return [(str(row.kind), row.amount, row.balance) for row in history_of_coins(state)]


def require_sums(state: State) -> tuple[HistoryRow, ...]:
    rows = history_of_coins(state)
    assert sum(row.amount for row in rows) == balance(state).total
    sums = [sum(row.amount for row in rows[: number + 1]) for number in range(len(rows))]
    assert [row.balance for row in rows] == sums
    assert all(total >= 0 for total in sums)
    read = list(csv.DictReader(io.StringIO(history_csv(rows).decode(), newline="")))
    assert [int(row["amount_sats"]) for row in read] == [row.amount for row in rows]
    return rows


def test_a_payment_is_its_outputs_and_its_fee() -> None:
    ledger = Ledger(VAULT)
    ledger.receive(3 * BTC)
    drafted = ledger.draft((OUTSIDE, BTC), reason="grant 17")
    final = ledger.finalize(ledger.propose(drafted))
    assert told(ledger.state) == [("received", 3 * BTC, 3 * BTC)]
    ledger.mine(1, final)
    rows = require_sums(ledger.state)
    fee = drafted.proposal.fee
    assert sorted((str(row.kind), row.amount) for row in rows) == sorted(
        [("received", 3 * BTC), ("paid", -BTC), ("change", 0), ("fee", -fee)]
    )
    (paid,) = [row for row in rows if row.kind is RowKind.PAID]
    assert (paid.address, paid.value) == (OUTSIDE, BTC)
    assert paid.proposal is not None and paid.proposal.proposal.reason == "grant 17"
    (change,) = [row for row in rows if row.kind is RowKind.CHANGE]
    assert (change.branch, change.value) == ("change", 2 * BTC - fee)
    assert rows[-1].kind is RowKind.FEE


def test_what_is_in_no_block_has_no_row() -> None:
    ledger = Ledger(VAULT)
    (coin,) = ledger.receive(BTC)
    ledger.observe((ledger.spend_elsewhere(coin), None))
    assert told(ledger.state) == [("received", BTC, BTC)]
    require_sums(ledger.state)


def test_a_transaction_that_spends_others_coins_too_is_one_net_row() -> None:
    ledger = Ledger(VAULT)
    (coin,) = ledger.receive(BTC)
    ledger.mine(1, ledger.spend_elsewhere(coin))
    state = ledger.state
    spender = next(seen for seen in state.transactions.values() if seen.is_outflow)
    joined = replace(
        spender,
        outputs=(SeenOutput(Sats(5 * BTC), OUTSIDE_SCRIPT, None), SeenOutput(Sats(BTC // 2), _script(4), (0, 4))),
        fee=None,
    )
    state = replace(state, transactions={**state.transactions, spender.txid: joined})
    rows = require_sums(state)
    assert [(str(row.kind), row.amount) for row in rows] == [("received", BTC), ("net", -BTC // 2)]


def test_in_one_block_a_spend_follows_what_it_spends() -> None:
    state = Ledger(VAULT).state
    # The child's txid is the smaller one, so that sorting by txid alone would put it first.
    parent, child = "ff" * 32, "00" * 32
    made = _seen(parent, (), (SeenOutput(Sats(BTC), _script(0), (0, 0)),))
    spent = _seen(
        child, (OwnInput(OutPoint(parent, 0), Sats(BTC), 0, 0),), (SeenOutput(Sats(BTC - 500), OUTSIDE_SCRIPT, None),)
    )
    state = replace(state, transactions={child: spent, parent: made})
    assert [row.transaction.txid for row in require_sums(state)] == [parent, child, child]


def test_minted_coins_and_labels() -> None:
    ledger = Ledger(VAULT)
    ledger.issue(0, "miner of the north")
    state = ledger.state
    coin = replace(_seen("11" * 32, (), (SeenOutput(Sats(50 * BTC), _script(0), (0, 0)),)), is_coinbase=True)
    state = replace(state, transactions={coin.txid: coin})
    (row,) = require_sums(state)
    assert (row.kind, row.label) == (RowKind.MINED, "miner of the north")


@pytest.mark.parametrize("text", ['=HYPERLINK("x")', "+1", "-2", "@SUM(A1)", "\t=1", "a\r\n=2", "\u202e=3", 'x","y'])
def test_a96_no_text_of_others_becomes_a_formula_or_a_row(text: str) -> None:
    ledger = Ledger(VAULT)
    ledger.issue(0, text)
    ledger.receive(BTC, index=0)
    ledger.mine(1, ledger.finalize(ledger.propose(ledger.draft((OUTSIDE, BTC // 2), reason=text))))
    content = history_csv(history_of_coins(ledger.state)).decode()
    rows = list(csv.DictReader(io.StringIO(content, newline="")))
    assert len(rows) == 4
    assert tuple(rows[0]) == COLUMNS
    cells = [cell for row in rows for name, cell in row.items() if not name.endswith("_sats")]
    assert not [cell for cell in cells if cell.lstrip().startswith(("=", "+", "-", "@"))]
    assert not set(content) & {"\t", "\u202e"}
    assert content.count("\r\n") == content.count("\n") == 5


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_the_rows_add_up_to_the_balance_whatever_happened(data: st.DataObject) -> None:
    ledger = Ledger(VAULT)
    for _step in range(data.draw(st.integers(1, 6))):
        match data.draw(st.sampled_from(["receive", "elsewhere", "home", "pay"])):
            case "receive":
                values = data.draw(st.lists(st.integers(20_000, 10 * BTC), min_size=1, max_size=3))
                ledger.receive(*values, index=data.draw(st.integers(0, 3)))
            case "pay" if _free(ledger):
                value = data.draw(st.integers(1_000, 10_000))
                ledger.mine(1, ledger.finalize(ledger.propose(ledger.draft((OUTSIDE, value)))))
            case ("elsewhere" | "home") as where if _free(ledger):
                coin = data.draw(st.sampled_from(_free(ledger)))
                to = OUTSIDE_SCRIPT if where == "elsewhere" else _script(5)
                height = data.draw(st.booleans())
                spend = ledger.spend_elsewhere(coin, to=to)
                if height:
                    ledger.mine(1, spend)
                else:
                    ledger.observe((spend, None))
        require_sums(ledger.state)


def _free(ledger: Ledger) -> list[OutPoint]:
    coins = [coin for coin in owned_coins(ledger.state) if not coin.hold_reasons(ledger.height)]
    return [coin.outpoint for coin in coins if coin.value >= 15_000]


def _script(index: int) -> bytes:
    return VAULT.deriver.at(0, index).script_pubkey


def _seen(txid: str, inputs: tuple[OwnInput, ...], outputs: tuple[SeenOutput, ...]) -> SeenTransaction:
    fee = Sats(sum(one.value for one in inputs) - sum(one.value for one in outputs)) if inputs else None
    return SeenTransaction(txid, block_hash(300), 300, fee, False, inputs, outputs, 1, False, 1_800_000_000)
