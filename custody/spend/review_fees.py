"""The fee, judged by percent, by rate and by amount (A41, A42), and the sums it rests on (A44).

All arithmetic is in whole satoshis. The rate is that of the largest size the signatures can
give, so it is never shown higher than it will be, and never judged above what will be paid.
"""

from custody.bitcoin.amount import MAX_MONEY, format_btc
from custody.codes import Code
from custody.errors import Finding
from custody.spend.review_findings import TX, note, refuse, warn
from custody.spend.review_model import Review, ReviewLimits


def fee_findings(review: Review, limits: ReviewLimits) -> tuple[Finding, ...]:
    """Judge the fee of a review whose inputs and outputs are filled in; silent where an input is unproven."""
    sums = [("inputs", review.input_total or 0), ("outputs", review.output_total)]
    impossible = tuple(
        refuse(Code.AMOUNT_OUT_OF_RANGE, TX, f"the {what} sum to {total} sat, more than can ever exist")
        for what, total in sums
        if total > MAX_MONEY
    )
    if impossible or review.fee is None or not review.inputs or not review.outputs:
        return impossible
    if review.fee < 0:
        message = f"the outputs exceed the inputs by {-review.fee} sat"
        return (refuse(Code.FEE_NEGATIVE, TX, message, "Do not sign: no node would take this transaction."),)
    if review.fee * 1000 < limits.min_fee_rate.sat_kvb * review.vsize:
        return (
            refuse(
                Code.FEE_BELOW_RELAY,
                TX,
                f"the fee of {review.fee} sat is below {limits.min_fee_rate.sat_vb} sat/vB over {review.vsize} vB",
                "Draft again with a higher fee rate: no node would pass this transaction on.",
            ),
        )
    return _high_fee(review, review.fee, limits)


def fee_percent(fee: int, total: int) -> str:
    """Return the fee as percent of `total`, with two decimals, rounded up so that it is never made to look smaller."""
    if total <= 0:
        return "-"
    hundredths = -(-fee * 10_000 // total)
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def _high_fee(review: Review, fee: int, limits: ReviewLimits) -> tuple[Finding, ...]:
    total = review.input_total or 0
    too_much = _above_liftable(fee, total, limits)
    if limits.lifted_max_fee is not None:
        lifted = too_much or _is_above_percent(fee, total, limits.warn_fee_percent)
        too_much = []
        if fee > limits.lifted_max_fee:
            too_much = [f"above {limits.lifted_max_fee} sat, the limit that was given"]
    over_rate = fee * 1000 > limits.max_fee_rate.sat_kvb * review.vsize
    if over_rate:
        too_much.append(f"above {limits.max_fee_rate.sat_vb} sat/vB")
    findings: list[Finding] = []
    words = f"the fee of {fee} sat ({format_btc(fee)} BTC) is {fee_percent(fee, total)} % of the inputs"
    if too_much:
        advice = "Do not sign; ask for a draft with a sane fee. --max-fee-sats lifts all but the limit of the rate."
        findings.append(refuse(Code.FEE_ABOVE_LIMIT, TX, f"{words}: {' and '.join(too_much)}", advice))
    elif limits.lifted_max_fee is None and _is_above_percent(fee, total, limits.warn_fee_percent):
        advice = "Make sure that so high a fee is meant."
        findings.append(warn(Code.FEE_HIGH, TX, f"{words}, above {limits.warn_fee_percent} %", advice))
    if limits.lifted_max_fee is not None and lifted:
        message = f"{words}; the limits in percent and amount were lifted to {limits.lifted_max_fee} sat"
        findings.append(note(Code.FEE_LIMIT_LIFTED, TX, message, "This was asked for with --max-fee-sats."))
    return tuple(findings)


def _above_liftable(fee: int, total: int, limits: ReviewLimits) -> list[str]:
    words: list[str] = []
    if _is_above_percent(fee, total, limits.refuse_fee_percent):
        words.append(f"above {limits.refuse_fee_percent} %")
    if fee > limits.max_fee:
        words.append(f"above {format_btc(limits.max_fee)} BTC")
    return words


def _is_above_percent(fee: int, total: int, percent: int) -> bool:
    return fee * 100 > total * percent
