"""What a report rests on and what it doesn't show: the sentences that stand in every form of it."""

from custody.audit.report.period import DATING_RULE
from custody.audit.report.prices import ROUNDING_RULE
from custody.audit.report.report import Report
from custody.audit.reserves.statement import NOT_PROVEN

VERIFIED = (
    "the journal: each entry's hash and its place in the chain",
    "each officer's signature, at its own place in the journal, by the key that was enrolled then",
    "each device's signature, on the scripts that the vault's descriptor derives and the amounts of whole previous "
    "transactions",
    "each of the vault's own addresses, derived again from its descriptor",
    "what nobody signs, against what the journal itself proves; where that proves an entry false, no sum counts",
    "the sums: the rows and the coins were added up apart and agree to the satoshi at both ends of the period",
)
"""By the program that wrote the report, on the machine where it ran."""

CLAIMED = (
    "the blocks, transactions and amounts: what the office's own node told it, as the journal keeps it; no node was "
    "asked for this report",
    "labels, payees, reasons, and what is said of devices, custodians and places: words that somebody wrote",
    "that nothing is missing from the journal: only a head or a signed checkpoint kept elsewhere shows that",
)

CHECK_IT = (
    "Replay the journal: custody audit journal EXPORT --expect-head {head}",
    "Ask a node of your own for the closing balance: custody audit balance --journal EXPORT --height {height} "
    "--node URL --cookie FILE",
)
"""Commands for a reader who trusts nobody."""


def verified(_report: Report) -> tuple[str, ...]:
    """Return what the program itself checked."""
    return VERIFIED


def claimed(report: Report) -> tuple[str, ...]:
    """Return what is somebody's word."""
    prices = report.prices
    if prices is None:
        return CLAIMED
    return (*CLAIMED, f"the prices in {prices.currency}: whoever made the report chose their file")


def not_proven(_report: Report) -> tuple[str, ...]:
    """Return what no report shows."""
    return NOT_PROVEN


def rules(report: Report) -> tuple[str, ...]:
    """Return how blocks were dated and prices applied."""
    return (DATING_RULE,) if report.prices is None else (DATING_RULE, ROUNDING_RULE)


def checks(report: Report) -> tuple[str, ...]:
    """Return what to run to check it."""
    return tuple(one.format(head=report.source.head, height=report.period.closing) for one in CHECK_IT)
