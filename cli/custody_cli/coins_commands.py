"""`custody coins …`: what the vault holds, as the chain and the journal have it."""

from collections.abc import Iterator
from pathlib import Path

import click

from custody import atomic
from custody.bitcoin.amount import format_btc
from custody.bitcoin.transaction import OutPoint
from custody.documents.display import group_address
from custody.workflow.export_snapshot import export_snapshot
from custody.workflow.keep_coins import (
    accept_coins,
    export_labels,
    freeze_coins,
    import_labels,
    set_label,
    unfreeze_coins,
)
from custody.workflow.list_coins import CoinList, list_coins
from custody.workflow.office import editing, open_office
from custody.workflow.sync_coins import sync_coins
from custody_cli.chain_access import opened_chain
from custody_cli.loading import workspace_of
from custody_cli.options import STDIO, NounGroup, examples, read_input
from custody_cli.output import Answer, AnswerValue, Line, Style, Styled
from custody_cli.session import Session
from custody_cli.system import surroundings_of

_MAX_LABELS_FILE = 16_000_000
_LABEL_TYPES = ("tx", "addr", "output")
_INCOMPLETE = 9


@click.group(
    cls=NounGroup,
    epilog=examples("custody --vault reserve coins sync", "custody --vault reserve coins list --json"),
)
def coins() -> None:
    """Coins of the vault: sync with the chain, list, freeze, accept, label."""


@coins.command(epilog=examples("custody coins sync --full", "custody coins sync --to coins.snapshot"))
@click.option("--full", is_flag=True, help="Compare with the set of all unspent outputs, as on the first sync.")
@click.option("--to", "to", metavar="FILE", help="Also write a snapshot for a machine without a network.")
@click.pass_obj
def sync(session: Session, full: bool, to: str | None) -> Answer:
    """Ask the chain what is new; exit 9 if the view is incomplete."""
    with editing(workspace_of(session), surroundings_of(session)) as desk, opened_chain(desk.office) as backend:
        outcome = sync_coins(desk, backend, full=full, progress=session.progress)
        if to is not None:
            export_snapshot(desk.office, backend, Path(to), outcome, session.progress)
        listed = list_coins(desk.office)

    def lines() -> Iterator[Line]:
        how = "compared with all unspent outputs" if outcome.compared_with_utxo_set else "compared coin by coin"
        yield f"synced to block {outcome.tip.height}: {outcome.transactions} new transaction(s), {how}"
        if outcome.vanished_blocks:
            yield Styled(f"{len(outcome.vanished_blocks)} block(s) vanished in a reorganization", Style.CARE)
        yield from _sum_lines(listed)

    json = {
        **listed.to_json(),
        "new_transactions": outcome.transactions,
        "vanished_blocks": [*outcome.vanished_blocks],
        "compared_with_utxo_set": outcome.compared_with_utxo_set,
    }
    return Answer(json, lines, 0 if outcome.is_complete else _INCOMPLETE)


@coins.command("list", epilog=examples("custody --vault reserve coins list", "custody coins list --json"))
@click.pass_obj
def list_(session: Session) -> Answer:
    """List the coins at the last sync; exit 9 if that view is incomplete."""
    listed = list_coins(open_office(workspace_of(session)))

    def lines() -> Iterator[Line]:
        for coin, address in listed.coins:
            held = ", ".join(str(reason) for reason in coin.hold_reasons(listed.height or 0))
            depth = coin.confirmations(listed.height or 0)
            yield f"{format_btc(coin.value):>17} BTC  {depth:>6} deep  {coin.outpoint}"
            yield f"{'':>17}      {group_address(address)}"
            if held or coin.label:
                yield Styled(f"{'':>17}      {' / '.join(filter(None, (held, coin.label)))}", Style.CARE)
        yield from _sum_lines(listed)

    return Answer(listed.to_json(), lines, 0 if listed.is_complete else _INCOMPLETE)


@coins.command(
    epilog=examples(
        "custody coins accept TXID --reason 'paid by hand on 3 May'",
        "custody coins accept TXID:0 --reason 'donation'",
        "custody coins accept --prior-history",
    )
)
@click.argument("items", metavar="[TXID|TXID:VOUT]...", nargs=-1)
@click.option("--prior-history", is_flag=True, help="Accept what lies before the first complete sync, as counted.")
@click.option("--reason", metavar="TEXT")
@click.pass_obj
def accept(session: Session, items: tuple[str, ...], prior_history: bool, reason: str | None) -> Answer:
    """Explain outflows by txid, take in set-aside coins by outpoint, accept prior history."""
    if not items and not prior_history:
        raise click.UsageError("name a txid, an outpoint or --prior-history")
    outpoints = [OutPoint.parse(item) for item in items if ":" in item]
    txids = [item for item in items if ":" not in item]
    with editing(workspace_of(session), surroundings_of(session)) as desk:
        done = accept_coins(desk, outpoints=outpoints, txids=txids, prior_history=prior_history, reason=reason)
    json: dict[str, AnswerValue] = {
        "outpoints": [str(one) for one in done.outpoints],
        "txids": [*done.txids],
        "prior_history": {"count": done.prior_count, "sum_sats": done.prior_sum},
    }
    text = f"accepted {len(done.txids)} outflow(s), {len(done.outpoints)} coin(s), prior history of {done.prior_count}"
    return Answer(json, lambda: (text,))


@coins.command(epilog=examples("custody coins freeze TXID:0 --reason 'under investigation'"))
@click.argument("outpoints", metavar="TXID:VOUT...", nargs=-1, required=True)
@click.option("--reason", metavar="TEXT")
@click.pass_obj
def freeze(session: Session, outpoints: tuple[str, ...], reason: str | None) -> Answer:
    """Keep coins out of every draft."""
    named = [OutPoint.parse(text) for text in outpoints]
    with editing(workspace_of(session), surroundings_of(session)) as desk:
        freeze_coins(desk, named, reason=reason)
    return Answer({"frozen": [str(one) for one in named]}, lambda: (f"frozen: {len(named)} coin(s)",))


@coins.command(epilog=examples("custody coins unfreeze TXID:0 --reason 'cleared by the court'"))
@click.argument("outpoints", metavar="TXID:VOUT...", nargs=-1, required=True)
@click.option("--reason", metavar="TEXT")
@click.pass_obj
def unfreeze(session: Session, outpoints: tuple[str, ...], reason: str | None) -> Answer:
    """Let drafts use coins again."""
    named = [OutPoint.parse(text) for text in outpoints]
    with editing(workspace_of(session), surroundings_of(session)) as desk:
        unfreeze_coins(desk, named, reason=reason)
    return Answer({"unfrozen": [str(one) for one in named]}, lambda: (f"unfrozen: {len(named)} coin(s)",))


@coins.command(
    epilog=examples(
        "custody coins label TXID:0 'mining, May'",
        "custody coins label --import labels.jsonl",
        "custody coins label --export labels.jsonl",
    )
)
@click.argument("ref", metavar="[TXID|TXID:VOUT|ADDRESS]", required=False)
@click.argument("text", metavar="[LABEL]", required=False)
@click.option("--type", "kind", type=click.Choice(_LABEL_TYPES), help="What REF is; else seen from its form.")
@click.option("--import", "import_from", metavar="FILE", help="Take in a BIP 329 file; `spendable` freezes nothing.")
@click.option("--export", "export_to", metavar="FILE", help="Write every label as a BIP 329 file; `-` is stdout.")
@click.pass_obj
def label(
    session: Session,
    ref: str | None,
    text: str | None,
    kind: str | None,
    import_from: str | None,
    export_to: str | None,
) -> Answer:
    """Label a coin, transaction or address; import and export BIP 329. No label ever decides anything."""
    chosen = (ref is not None and text is not None, import_from is not None, export_to is not None)
    if sum(chosen) != 1:
        raise click.UsageError("give REF and LABEL, or --import, or --export")
    workspace = workspace_of(session)
    if export_to is not None:
        data = export_labels(open_office(workspace))
        if export_to == STDIO:
            return Answer({"labels": data.decode()}, lambda: (), raw=data)
        atomic.create_file(Path(export_to), data)
        count = data.count(b"\n")
        return Answer({"file": export_to, "labels": count}, lambda: (f"wrote {count} label(s)",))
    if import_from is not None:
        content = read_input(import_from, max_bytes=_MAX_LABELS_FILE)
        with editing(workspace, surroundings_of(session)) as desk:
            new = import_labels(desk, content)
        return Answer({"imported": new}, lambda: (f"{new} label(s) new or changed",))
    named, words = ref or "", text or ""
    with editing(workspace, surroundings_of(session)) as desk:
        set_label(desk, kind=kind or _kind_of(named), ref=named, label=words)
    return Answer({"type": kind or _kind_of(named), "ref": named, "label": words}, lambda: ("labelled",))


def _kind_of(ref: str) -> str:
    if ":" in ref:
        return "output"
    return "tx" if len(ref) == 64 and ref.isalnum() else "addr"


def _sum_lines(listed: CoinList) -> Iterator[Line]:
    where = "never synced" if listed.height is None else f"at block {listed.height}"
    state = "complete" if listed.is_complete else "INCOMPLETE"
    style = Style.GOOD if listed.is_complete else Style.BAD
    yield Styled(f"TOTAL     {format_btc(listed.balance.total):>17} BTC  {where}, {state}", style)
    yield f"SPENDABLE {format_btc(listed.balance.spendable):>17} BTC"
    if listed.balance.unconfirmed:
        yield f"UNCONFIRMED {format_btc(listed.balance.unconfirmed):>15} BTC  in no sum above"
    for reason in listed.incomplete:
        yield Styled(f"INCOMPLETE: {reason}", Style.BAD)
