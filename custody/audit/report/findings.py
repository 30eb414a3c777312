"""What stands out in a report. Nothing here stops anything: an auditor reads it, and asks."""

from collections.abc import Iterator, Mapping, Sequence

from custody.audit.history import HistoryRow
from custody.audit.report.coins import HeldAddress
from custody.audit.report.flows import ReportedOutflow
from custody.audit.report.period import Period
from custody.audit.report.sums import LateMoves
from custody.audit.signer_findings import signer_findings
from custody.audit.state import State
from custody.codes import Code
from custody.errors import Finding, Severity
from custody.policy.limit import show_amount
from custody.vault.device_profile import DeviceProfile
from custody.vault.vault import Vault

_SHOWN = 12
"""Hex characters of a txid in a sentence; the whole one is the finding's place."""
_DAYS_NAMED = 5


def report_findings(
    state: State,
    vault: Vault,
    profiles: Mapping[str, DeviceProfile],
    *,
    period: Period,
    rows: Sequence[HistoryRow],
    outflows: Sequence[ReportedOutflow],
    addresses: Sequence[HeldAddress],
    late: LateMoves,
    missing_prices: Sequence[str],
    journal_findings: Sequence[Finding],
) -> tuple[Finding, ...]:
    """Return every finding, the gravest first; `rows` are those of the whole history."""
    found = [
        *_of_outflows(outflows),
        *_of_addresses(addresses),
        *_of_late_moves(late),
        *_of_period(period, rows),
        *_of_prices(missing_prices),
        *journal_findings,
        *signer_findings(vault, state.signers, profiles),
    ]
    order = (Severity.REFUSE, Severity.WARN, Severity.NOTE)
    return tuple(sorted(found, key=lambda one: order.index(one.severity)))


def _of_outflows(outflows: Sequence[ReportedOutflow]) -> Iterator[Finding]:
    for one in outflows:
        txid = one.transaction.txid
        if not one.is_explained:
            why = "no proposal explains it" if one.proposal is None else "its proposal never had its approvals"
            yield Finding(
                Code.UNEXPLAINED_OUTFLOW,
                Severity.REFUSE,
                txid,
                f"{show_amount(one.paid + one.fee)} left in transaction {txid[:_SHOWN]}…, and {why}",
                "Ask who spent it. If nobody knows, other people can sign for this vault.",
            )
        elif one.proposal is None or one.is_unapproved:
            yield Finding(
                Code.OUTFLOW_ON_WORD,
                Severity.WARN,
                txid,
                f"{show_amount(one.paid + one.fee)} left in transaction {txid[:_SHOWN]}…, and only an unsigned entry "
                "of the journal explains it",
                "Ask who accepted it and what it was for: whoever can write to the journal can write that.",
            )
        elif one.people is not None and not one.people.signing.is_complete:
            yield Finding(
                Code.SIGNATURES_MISSING,
                Severity.NOTE,
                txid,
                f"the journal holds fewer valid signatures of transaction {txid[:_SHOWN]}… than the threshold, "
                "although the chain has it",
                "Its signatures were put together elsewhere: read them in the chain's own copy.",
            )


def _of_addresses(addresses: Sequence[HeldAddress]) -> Iterator[Finding]:
    for one in addresses:
        if one.is_above_cap:
            yield Finding(
                Code.ADDRESS_ABOVE_CAP,
                Severity.WARN,
                one.address,
                f"one address holds {show_amount(one.value)}, more than the policy lets lie on one",
                "Spread it over fresh addresses by an internal move.",
            )
        if one.is_exposed:
            yield Finding(
                Code.KEYS_EXPOSED,
                Severity.WARN,
                one.address,
                f"{show_amount(one.value)} lie on an address that was spent from before: its public keys stand in "
                "the chain for everybody to study",
                "Move them to a fresh address, and find out who still pays to the old one.",
            )


def _of_late_moves(late: LateMoves) -> Iterator[Finding]:
    if not late.came and not late.left:
        return
    after = f"; {show_amount(late.left)} left in the {late.seen_after} observed after it" if late.left else ""
    yield Finding(
        Code.MOVES_AROUND_CLOSING,
        Severity.NOTE,
        "closing",
        f"{show_amount(late.came)} came in the last {late.blocks} blocks before the closing one{after}",
        "Ask where it came from and whether it is still there: a reserve can be borrowed for one day.",
    )


def _of_period(period: Period, rows: Sequence[HistoryRow]) -> Iterator[Finding]:
    for when, heights, side in (
        ("beginning", period.unsure_first, "in it"),
        ("end", period.unsure_last, "in the next"),
    ):
        unsure = {row.transaction.txid for row in rows if row.transaction.height in heights}
        if unsure:
            yield Finding(
                Code.BLOCK_TIME_UNKNOWN,
                Severity.NOTE,
                f"blocks:{heights.start}-{heights.stop - 1}",
                f"{len(unsure)} transaction(s) lie between two observations around the period's {when}, where the "
                f"journal knows no times: they are counted {side}",
                "Give the period by heights where the day matters.",
            )
    if not period.is_over:
        yield Finding(
            Code.PERIOD_NOT_OVER,
            Severity.WARN,
            "period",
            f"the chain was last observed before the period's end: the report ends at block {period.closing}",
            "Run `custody coins sync` after the period's end, then report again.",
        )


def _of_prices(missing: Sequence[str]) -> Iterator[Finding]:
    if missing:
        named = ", ".join(missing[:_DAYS_NAMED]) + (", …" if len(missing) > _DAYS_NAMED else "")
        yield Finding(
            Code.PRICE_MISSING,
            Severity.WARN,
            "prices",
            f"the price file has no price for {len(missing)} day(s): {named}",
            "Their amounts, and sums with them, stay without a value; add the days to the file.",
        )
