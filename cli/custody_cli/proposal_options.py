"""Options that several proposal commands share, and how their text becomes values."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import click

from custody.bitcoin.amount import FeeRate, parse_amount, sats
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code
from custody.errors import UsageError
from custody.spend.draft import Payee
from custody.spend.review_model import ReviewLimits

_Function = TypeVar("_Function", bound=Callable[..., object])

proposal_argument = click.argument("named", metavar="[ID]", required=False)
"""The id or its first eight characters or more; left out, the only proposal under way is meant."""

ack_option = click.option(
    "--ack", "acks", multiple=True, metavar="CODE@WHERE", help="Acknowledge one warning by its exact words; repeat."
)
confirm_option = click.option(
    "--confirm-sats", type=click.IntRange(min=0), metavar="N", help="Answer the question for the amount, for scripts."
)
max_fee_option = click.option(
    "--max-fee-sats", type=click.IntRange(min=0), metavar="N", help="Lift the fee limits in percent and BTC to N sat."
)


def fee_rate_option(*, required: bool) -> Callable[[_Function], _Function]:
    """Return `--fee-rate`; where it isn't required the node's estimate stands in."""
    words = "Fee rate in sat/vB." if required else "Fee rate in sat/vB; else the node's estimate, or a refusal."
    return click.option("--fee-rate", required=required, metavar="N", help=words)


def limits_of(max_fee_sats: int | None) -> ReviewLimits:
    """Return the review's limits with the fee cap that was lifted, if any."""
    limits = ReviewLimits()
    return limits if max_fee_sats is None else replace(limits, lifted_max_fee=sats(max_fee_sats))


def rate_of(text: str | None) -> FeeRate | None:
    """Read a fee rate."""
    return None if text is None else FeeRate.from_sat_vb(text)


def payees_of(texts: Sequence[str]) -> tuple[Payee, ...]:
    """Read `ADDRESS=AMOUNT` pairs, AMOUNT with its unit or `all`.

    Raises:
        UsageError: no `=` in one of them.
    """
    return tuple(_payee_of(text) for text in texts)


def outpoints_of(texts: Sequence[str]) -> tuple[OutPoint, ...]:
    """Read `txid:vout` texts."""
    return tuple(OutPoint.parse(text) for text in texts)


def _payee_of(text: str) -> Payee:
    address, separator, amount = text.partition("=")
    if not separator:
        raise UsageError(
            Code.USAGE, "a --to is not of the form ADDRESS=AMOUNT", advice="Write for example `--to bc1q…=1.5btc`."
        )
    return Payee(address.strip(), None if amount == "all" else parse_amount(amount))
