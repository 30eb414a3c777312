"""A report as one JSON document, `custody-report/1`; keys as `docs/formats/report.md` explains them.

Amounts are whole satoshis, fiat amounts and prices are decimal numbers in text, times RFC 3339 UTC.
"""

from collections.abc import Sequence
from decimal import Decimal

from custody.audit.history_json import row_json
from custody.audit.report import words as report_words
from custody.audit.report.coins import CoinClass, HeldAddress, ReportedCoin
from custody.audit.report.fiat import fiat_of
from custody.audit.report.flows import People, ReportedOutflow
from custody.audit.report.report import Report
from custody.bitcoin.descriptor import Branch
from custody.errors import JsonValue
from custody.spend.expiry import format_time

REPORT_FORMAT = "custody-report/1"


def report_json(report: Report) -> dict[str, JsonValue]:
    """Return the document."""
    period, sums, tip = report.period, report.sums, report.dating.tips[-1]
    return {
        "format": REPORT_FORMAT,
        "vault_id": report.vault.vault_id,
        "name": report.vault.name,
        "network": str(report.vault.network),
        "threshold": report.vault.threshold,
        "keys": len(report.vault.cosigners),
        "descriptor": report.vault.descriptor_text,
        "journal": {
            "source": report.source.where,
            "head": report.source.head,
            "entries": report.source.entries,
            "checkpoint": _checkpoint_json(report),
        },
        "observed": {
            "height": tip.height,
            "block_hash": tip.block_hash,
            "median_time_past": format_time(tip.median_time_past),
        },
        "complete": not report.incomplete,
        "incomplete": [*report.incomplete],
        "period": {
            "asked": str(period.asked),
            "first_height": period.first,
            "closing_height": period.closing,
            "closing_block_hash": report.closing_hash,
            "over": period.is_over,
        },
        "balance": {
            "opening_sats": sums.opening,
            "mined_sats": sums.mined,
            "received_sats": sums.received,
            "net_in_sats": sums.net_in,
            "paid_sats": sums.paid,
            "net_out_sats": sums.net_out,
            "fees_sats": sums.fees,
            "closing_sats": sums.closing,
            "coins_at_closing_sats": sum(coin.value for coin in report.coins),
        },
        "fiat": _fiat_json(report),
        "inflows": [
            {"label": one.label, "mined_sats": one.mined, "received_sats": one.received, "outputs": one.count}
            for one in report.inflows
        ],
        "outflows": [_outflow_json(report, one) for one in report.outflows],
        "rows": [{**row_json(row), "day": report.day_of(row)} for row in report.rows],
        "coins": [_coin_json(one, period.closing) for one in report.coins],
        "coins_by_age": _classes_json(report.ages),
        "coins_by_size": _classes_json(report.sizes),
        "address_cap_sats": report.cap,
        "addresses": [_address_json(one) for one in report.addresses],
        "around_closing": {
            "blocks": report.late.blocks,
            "came_before_sats": report.late.came,
            "left_after_sats": report.late.left,
            "blocks_seen_after": report.late.seen_after,
        },
        "prove_keys_every_seconds": report.prove_every,
        "keys_proven": [one.to_json() for one in report.keys],
        "findings": [one.to_json() for one in report.findings],
        "rules": [*report_words.rules(report)],
        "verified": [*report_words.verified(report)],
        "claimed": [*report_words.claimed(report)],
        "not_proven": [*report_words.not_proven(report)],
        "check": [*report_words.checks(report)],
    }


def _checkpoint_json(report: Report) -> JsonValue:
    newest = report.checkpoint
    if newest is None:
        return None
    return {"officer": newest.officer, "entries": newest.length, "head": newest.head, "time": newest.time}


def _fiat_json(report: Report) -> JsonValue:
    if report.prices is None:
        return None
    fiat = fiat_of(report, report.prices)
    return {
        "currency": fiat.currency,
        "opening": _decimal(fiat.opening),
        "inflows": _decimal(fiat.inflows),
        "outflows": _decimal(fiat.outflows),
        "fees": _decimal(fiat.fees),
        "closing": _decimal(fiat.closing),
        "prices": [{"day": day, "price": str(price)} for day, price in fiat.used],
        "missing_days": [*fiat.missing],
        "file_sha256": report.prices.digest,
    }


def _decimal(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _outflow_json(report: Report, one: ReportedOutflow) -> JsonValue:
    seen, record = one.transaction, one.proposal
    return {
        "txid": seen.txid,
        "height": seen.height,
        "day": report.dating.day_of(seen.height or 0),
        "paid_sats": one.paid,
        "change_sats": one.change,
        "fee_sats": one.fee,
        "explained": one.is_explained,
        "accepted": one.is_accepted,
        "unapproved": one.is_unapproved,
        "proposal_id": None if record is None else record.proposal_id,
        "kind": None if record is None else str(record.proposal.kind),
        "reason": None if record is None else record.proposal.reason,
        "people": None if one.people is None else _people_json(one.people),
        "payments": [
            {"address": row.address, "payee": row.payee, "value_sats": row.value}
            for row in one.rows
            if row.vout is not None
        ],
    }


def _people_json(people: People) -> JsonValue:
    return {
        "drafted_by": people.drafted_by,
        "said_drafter": people.said_drafter,
        "approved_by": [
            {"officer": one.officer, "roles": [*one.roles], "time": format_time(one.time), "counts": one.counts}
            for one in people.approvers
        ],
        "signing": people.signing.to_json(),
    }


def _coin_json(coin: ReportedCoin, closing: int) -> JsonValue:
    return {
        "txid": coin.outpoint.txid,
        "vout": coin.outpoint.vout,
        "value_sats": coin.value,
        "address": coin.address,
        "branch": Branch(coin.branch).label,
        "index": coin.index,
        "height": coin.height,
        "age_blocks": coin.age(closing),
        "label": coin.label,
    }


def _classes_json(classes: Sequence[CoinClass]) -> list[JsonValue]:
    return [{"class": one.name, "coins": one.count, "value_sats": one.value} for one in classes]


def _address_json(one: HeldAddress) -> JsonValue:
    return {
        "address": one.address,
        "branch": Branch(one.branch).label,
        "index": one.index,
        "coins": one.coins,
        "value_sats": one.value,
        "above_cap": one.is_above_cap,
        "keys_exposed_by": one.spent_by,
    }
