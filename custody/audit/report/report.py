"""The report of a period: balances, flows, who stands behind each payment, the coins at its end, what stands out.

Everything follows from one replayed journal. The sums of the period's rows and the coins at its two ends are
computed apart from each other and must agree to the satoshi: else there is no report. What the report doesn't
prove is part of it (attack A85).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from custody.audit.balance_claim import claimed_route
from custody.audit.governance import Checkpoint
from custody.audit.history import HistoryRow, history_of_coins, require_derived
from custody.audit.key_proofs import KeyStanding, overdue_findings
from custody.audit.report.coins import CoinClass, HeldAddress, ReportedCoin, by_address, by_age, by_size, coins_at
from custody.audit.report.findings import report_findings
from custody.audit.report.flows import InflowGroup, ReportedOutflow, inflow_groups, reported_outflows
from custody.audit.report.period import Asked, Dating, Period, dating_of, period_of
from custody.audit.report.prices import Prices
from custody.audit.report.sums import LateMoves, Sums, late_moves, require_reconciled, sums_of
from custody.audit.state import State
from custody.codes import Code
from custody.errors import Finding
from custody.vault.device_profile import DeviceProfile
from custody.vault.vault import Vault

RECENT_BLOCKS = 144
"""Before and after the closing block, what came and went is told apart: about a day."""


@dataclass(frozen=True, slots=True)
class JournalSource:
    """Where the replayed journal came from."""

    where: str
    """`workspace`, or the name of the export."""
    head: str
    """Hash of its newest entry."""
    entries: int
    findings: tuple[Finding, ...] = ()
    """Warnings of the replay: entries that claim authority and have none, clocks that stepped back."""


@dataclass(frozen=True, slots=True)
class ReportTerms:
    """What is asked of a report."""

    asked: Asked
    source: JournalSource
    profiles: Mapping[str, DeviceProfile]
    """What is known of models of hardware signers; none: nothing is claimed of any."""
    prices: Prices | None = None
    recent_blocks: int = RECENT_BLOCKS
    """At least 1."""
    keys: tuple[KeyStanding, ...] = ()
    """When each key last proved that it is alive, its signatures verified."""
    unapproved: frozenset[str] = frozenset()
    """Txids of outflows whose proposal never had what its policy asks for: such a proposal explains nothing."""


@dataclass(frozen=True, slots=True)
class Report:
    """A period of one vault, reconciled."""

    vault: Vault
    source: JournalSource
    state: State
    dating: Dating
    period: Period
    incomplete: tuple[str, ...]
    """Why the last observation was not the whole truth; empty when it was."""
    sums: Sums
    rows: tuple[HistoryRow, ...]
    """Of the period, oldest first."""
    inflows: tuple[InflowGroup, ...]
    outflows: tuple[ReportedOutflow, ...]
    coins: tuple[ReportedCoin, ...]
    """At the closing block."""
    ages: tuple[CoinClass, ...]
    sizes: tuple[CoinClass, ...]
    addresses: tuple[HeldAddress, ...]
    cap: int | None
    """Most satoshis that one address may hold by the policy in force at the journal's head; None: no such rule."""
    late: LateMoves
    keys: tuple[KeyStanding, ...]
    """As of the journal's newest observation; empty where nobody looked."""
    prove_every: int | None
    """Seconds that the policy in force at the journal's head lets pass between a key's proofs; None: no such rule."""
    findings: tuple[Finding, ...]
    prices: Prices | None

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The newest head of the journal that an officer signed and that stands in it."""
        false = {one.where for one in self.source.findings}
        signed = (one for one in self.state.governance.checkpoints[::-1] if f"entry:{one.seq}" not in false)
        return next(signed, None)

    @property
    def is_contradicted(self) -> bool:
        """Whether the journal itself proves an entry false, so that no sum can be relied on."""
        return any(one.code is Code.ENTRY_CONTRADICTED for one in self.source.findings)

    @property
    def closing_hash(self) -> str | None:
        """Hash of the closing block, None where no observation ended exactly there."""
        return self.dating.hash_of(self.period.closing)

    def day_of(self, row: HistoryRow) -> str:
        """Return the day that a row belongs to."""
        return self.dating.day_of(row.transaction.height or 0)


def build_report(state: State, vault: Vault, terms: ReportTerms) -> Report:
    """Report on a period of a replayed journal, every output of ours derived again.

    Raises:
        InvalidInput: REPORT_PERIOD. ChainUnavailable: SYNC_INCOMPLETE where the chain was never observed.
        CheckFailed: REPORT_UNRECONCILED. Altered: an output is claimed that the vault doesn't derive.
    """
    dating = dating_of(state.tips)
    period = period_of(terms.asked, dating)
    every = history_of_coins(state)
    require_derived(every, vault)
    rows = tuple(row for row in every if period.has(row.transaction.height or 0))
    coins = coins_at(state, vault, period.closing)
    opening = claimed_route(state, period.opening).coins
    sums = sums_of(every, period)
    require_reconciled(sums, opening=sum(one.value for one in opening), closing=sum(one.value for one in coins))
    policy = state.governance.policy
    cap = None if policy is None else policy.coins.address_cap.most
    prove_every = None if policy is None else policy.prove_keys_every
    addresses = by_address(state, coins, period.closing, cap)
    flows = reported_outflows(state, vault, rows, terms.unapproved)
    late = late_moves(every, period, terms.recent_blocks, newest=dating.tips[-1].height)
    return Report(
        vault=vault,
        source=terms.source,
        state=state,
        dating=dating,
        period=period,
        incomplete=() if state.is_complete else state.incomplete,
        sums=sums,
        rows=rows,
        inflows=inflow_groups(rows),
        outflows=flows,
        coins=coins,
        ages=by_age(coins, period.closing),
        sizes=by_size(coins),
        addresses=addresses,
        cap=cap,
        late=late,
        keys=terms.keys,
        prove_every=prove_every,
        findings=report_findings(
            state,
            vault,
            terms.profiles,
            period=period,
            rows=every,
            outflows=flows,
            addresses=addresses,
            late=late,
            missing_prices=missing_prices(rows, dating, period, terms.prices),
            journal_findings=(*terms.source.findings, *overdue_findings(terms.keys, prove_every)),
        ),
        prices=terms.prices,
    )


def missing_prices(
    rows: Sequence[HistoryRow], dating: Dating, period: Period, prices: Prices | None
) -> tuple[str, ...]:
    """Return the days of the period that need a price and have none, in order."""
    if prices is None:
        return ()
    needed = {period.opening_day, period.closing_day}
    needed |= {dating.day_of(row.transaction.height or 0) for row in rows}
    return tuple(sorted(day for day in needed if day not in prices.by_day))
