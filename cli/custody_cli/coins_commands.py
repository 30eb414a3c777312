"""`custody coins …`: sync with the chain, list, history, accept, freeze, label.

Only `sync` talks to a node. What is shown from an incomplete view says so in its first line
and leaves with exit 9; the answer is whole all the same.
"""

from collections.abc import Iterator
from pathlib import Path

import click

from custody import atomic
from custody.bitcoin.amount import format_btc
from custody.bitcoin.block_evidence import EvidenceSummary
from custody.chain.snapshot_file import Snapshot
from custody.codes import Code
from custody.errors import JsonValue, UsageError
from custody.people.change import ChangeKind, Payload
from custody.spend.labels import MAX_LINE_BYTES
from custody.workflow.accept_coins import accept_coins, accept_prior_history
from custody.workflow.change_governance import propose_change
from custody.workflow.export_snapshot import Evidence, export_snapshot
from custody.workflow.freeze_coins import freeze_coins, frozen_of, unfreeze_coins
from custody.workflow.label_coins import export_labels, import_labels, label_thing
from custody.workflow.list_coins import list_coins
from custody.workflow.office import Desk, decide_again, editing, open_office
from custody.workflow.sync_coins import SyncOutcome, sync_coins
from custody_cli.chain_access import opened_chain
from custody_cli.change_screen import change_answer
from custody_cli.coins_history import history
from custody_cli.coins_screen import coin_list_lines, incomplete_lines
from custody_cli.evidence_screen import evidence_json, evidence_lines, evidence_of
from custody_cli.loading import workspace_of
from custody_cli.options import STDIO, NounGroup, examples, read_input
from custody_cli.output import Answer, Line, Style, Styled
from custody_cli.proposal_options import outpoints_of
from custody_cli.session import Session
from custody_cli.system import surroundings_of

_MAX_LABEL_FILE = 256 * MAX_LINE_BYTES
_INCOMPLETE = 9

_reason = click.option("--reason", metavar="TEXT", help="Why; kept in the journal.")
_outpoints = click.argument("outpoints", nargs=-1, required=True, metavar="TXID:VOUT…")


@click.group(
    cls=NounGroup,
    epilog=examples(
        "custody --vault reserve coins sync",
        "custody --vault reserve coins list",
        "custody --vault reserve coins freeze TXID:0 --reason 'claimed by two payers'",
    ),
)
def coins() -> None:
    """Coins of the vault: sync with the chain, list, tell their history, accept, freeze, label."""


@coins.command(
    epilog=examples(
        "custody coins sync",
        "custody coins sync --to /media/usb/snapshot.json",
        "custody coins sync --to /media/usb/snapshot.json --evidence --headers",
    )
)
@click.option("--full", is_flag=True, help="Compare with the node's whole set of unspent outputs; takes longer.")
@click.option("--to", metavar="FILE", type=click.Path(path_type=Path), help="Also write a snapshot; implies --full.")
@click.option("--evidence", is_flag=True, help="With --to: add merkle proofs and the headers of our blocks.")
@click.option("--headers", is_flag=True, help="With --evidence: every header from the first of our blocks to the tip.")
@click.pass_obj
def sync(session: Session, full: bool, to: Path | None, evidence: bool, headers: bool) -> Answer:
    """Observe the chain and journal what changed. Exit 9 if the view is incomplete.

    A snapshot goes to a machine without a network, which names it in its custody.yaml. With evidence that machine
    checks that our transactions stand in blocks of real work.
    """
    wanted = _evidence_wanted(to, evidence=evidence, headers=headers)
    written: Snapshot | None = None
    with editing(workspace_of(session), surroundings_of(session)) as desk, opened_chain(desk.office) as backend:
        outcome = sync_coins(desk, backend, full=full or to is not None, progress=session.progress)
        if to is not None:
            written = export_snapshot(desk, backend, outcome, to, session.progress, evidence=wanted)
        shown = written.evidence_summary if written is not None else evidence_of(backend)
        sums = list_coins(desk.office).to_json()
    del sums["coins"]
    json: dict[str, JsonValue] = {
        **sums,
        "compared_with_utxo_set": outcome.compared_with_utxo_set,
        "transactions": outcome.transactions,
        "vanished_blocks": list(outcome.vanished_blocks),
        "snapshot": None if to is None else str(to),
        "evidence": None if shown is None else evidence_json(shown),
    }
    return Answer(json, lambda: _sync_lines(outcome, to, shown), 0 if outcome.is_complete else _INCOMPLETE)


@coins.command("list", epilog=examples("custody --vault reserve coins list", "custody coins list --json"))
@click.pass_obj
def list_(session: Session) -> Answer:
    """List every coin at the last sync, with what holds it back. Exit 9 if that view is incomplete."""
    listed = list_coins(open_office(workspace_of(session)))
    return Answer(listed.to_json(), lambda: coin_list_lines(listed), 0 if listed.is_complete else _INCOMPLETE)


coins.add_command(history)


@coins.command(
    epilog=examples(
        "custody coins accept TXID --reason 'moved by the old wallet'",
        "custody coins accept TXID:1 --reason 'donation'",
        "custody coins accept --prior-history --reason 'years before this journal'",
    )
)
@click.argument("names", nargs=-1, metavar="[TXID|TXID:VOUT]…")
@click.option("--prior-history", is_flag=True, help="Accept all outflows from before the first complete sync.")
@_reason
@click.pass_obj
def accept(session: Session, names: tuple[str, ...], prior_history: bool, reason: str | None) -> Answer:
    """Explain an outflow (TXID), take in a coin that was set aside (TXID:VOUT), or accept prior history."""
    if bool(names) == prior_history:
        raise click.UsageError("name what you accept, or give --prior-history")
    with editing(workspace_of(session), surroundings_of(session)) as desk:
        done = accept_prior_history(desk, reason=reason) if prior_history else accept_coins(desk, names, reason=reason)

    def lines() -> Iterator[Line]:
        yield from (f"accepted the outflow {txid}" for txid in done.txids)
        yield from (f"taken in: {outpoint}" for outpoint in done.outpoints)
        if done.prior_history is not None:
            prior = done.prior_history
            yield f"accepted {prior.count} outflow(s) of prior history, {format_btc(prior.sum)} BTC in all"

    return Answer(done.to_json(), lines)


@coins.command(epilog=examples("custody coins freeze TXID:0 TXID:1 --reason 'disputed'"))
@_outpoints
@_reason
@click.pass_obj
def freeze(session: Session, outpoints: tuple[str, ...], reason: str | None) -> Answer:
    """Keep coins out of every draft until they are unfrozen."""
    with editing(workspace_of(session), surroundings_of(session)) as desk:
        done = [str(one) for one in freeze_coins(desk, outpoints_of(outpoints), reason=reason)]
    return Answer({"frozen": [*done]}, lambda: [f"frozen: {one}" for one in done])


@coins.command(epilog=examples("custody coins unfreeze TXID:0 --reason 'settled'"))
@_outpoints
@_reason
@click.pass_obj
def unfreeze(session: Session, outpoints: tuple[str, ...], reason: str | None) -> Answer:
    """Give frozen coins free again. Under a policy this proposes it, and officers sign the change."""
    named = outpoints_of(outpoints)

    def step(desk: Desk) -> Answer:
        if desk.state.governance.is_founded:
            payload = Payload(outpoints=frozen_of(desk, named))
            return change_answer(propose_change(desk, ChangeKind.UNFREEZE, payload, reason=reason))
        done = [str(one) for one in unfreeze_coins(desk, named, reason=reason)]
        return Answer({"unfrozen": [*done]}, lambda: [f"free again: {one}" for one in done])

    return decide_again(workspace_of(session), surroundings_of(session), step)


@coins.command(
    epilog=examples(
        "custody coins label TXID:0 'grant 17, first half'",
        "custody coins label --import sparrow-labels.jsonl",
        "custody coins label --export - > labels.jsonl",
    )
)
@click.argument("ref", required=False)
@click.argument("text", required=False)
@click.option("--import", "import_from", metavar="FILE", help="Read BIP 329 labels; `-` is stdin.")
@click.option("--export", "export_to", metavar="FILE", help="Write all labels as BIP 329; `-` is stdout.")
@click.pass_obj
def label(
    session: Session, ref: str | None, text: str | None, import_from: str | None, export_to: str | None
) -> Answer:
    """Label a transaction, coin, address or key; or exchange labels with other wallets (BIP 329).

    A label is words for people. An imported `spendable` is kept and shown, and freezes nothing.
    """
    named = ref is not None and text is not None
    if (ref is not None and not named) or [named, import_from is not None, export_to is not None].count(True) != 1:
        raise UsageError(
            Code.USAGE, "one of REF TEXT, --import or --export is needed", advice="See `custody coins label --help`."
        )
    if export_to is not None:
        return _exported(session, export_to)
    if import_from is not None:
        return _imported(session, import_from)
    with editing(workspace_of(session), surroundings_of(session)) as desk:
        record = label_thing(desk, ref or "", text or "")
    json: dict[str, JsonValue] = {"type": record.type, "ref": record.ref, "label": record.label}
    return Answer(json, lambda: (f"{record.type} {record.ref}: {record.label or 'no label any more'}",))


def _imported(session: Session, place: str) -> Answer:
    data = read_input(place, max_bytes=_MAX_LABEL_FILE)
    with editing(workspace_of(session), surroundings_of(session)) as desk:
        done = import_labels(desk, data)

    def lines() -> Iterator[Line]:
        yield f"{done.read} label(s) read, {done.changed} new or changed"
        if done.spendable_ignored:
            count = len(done.spendable_ignored)
            yield Styled(
                f"{count} of them say `spendable`: kept and shown, without effect; `coins freeze` freezes", Style.CARE
            )

    return Answer(
        {"read": done.read, "changed": done.changed, "spendable_without_effect": [*done.spendable_ignored]}, lines
    )


def _exported(session: Session, place: str) -> Answer:
    content = export_labels(open_office(workspace_of(session)).state)
    count = content.count(b"\n")
    if place == STDIO:
        return Answer({"labels": count, "content": content.decode("utf-8")}, lambda: (), raw=content)
    atomic.create_file(Path(place), content)
    return Answer({"labels": count, "file": place}, lambda: (f"wrote {count} label(s) to {place}",))


def _evidence_wanted(to: Path | None, *, evidence: bool, headers: bool) -> Evidence:
    if evidence and to is None:
        raise click.UsageError("--evidence goes with --to: it is written into the snapshot")
    if headers and not evidence:
        raise click.UsageError("--headers goes with --evidence")
    return Evidence.HEADERS if headers else Evidence.BLOCKS if evidence else Evidence.NONE


def _sync_lines(outcome: SyncOutcome, to: Path | None, evidence: EvidenceSummary | None) -> Iterator[Line]:
    yield from incomplete_lines(outcome.incomplete)
    yield f"block {outcome.tip.height} {outcome.tip.block_hash}"
    yield f"{outcome.transactions} new or changed transaction(s)"
    if outcome.vanished_blocks:
        count = len(outcome.vanished_blocks)
        yield Styled(f"{count} block(s) that held transactions of ours vanished: a reorganization", Style.BAD)
    if outcome.is_complete:
        how = "the node's whole set of unspent outputs" if outcome.compared_with_utxo_set else "the node, coin by coin"
        yield Styled(f"complete: compared with {how}", Style.GOOD)
    if to is not None:
        yield f"wrote the snapshot {to}"
    if evidence is not None:
        yield from evidence_lines(evidence)
