"""`custody audit report`: a period of a vault, from the workspace's journal or from an export."""

from pathlib import Path

import click

from custody.audit.report.period import Asked, DaysAsked, HeightsAsked
from custody.audit.report.prices import MAX_BYTES, Prices
from custody.audit.report.report import RECENT_BLOCKS, Report
from custody.workflow.make_report import ReportOrder, report_of_export, report_of_workspace
from custody_cli.audit_report_files import FORMATS, form_of, shown, written
from custody_cli.audit_sources import VaultChoice, vault_options
from custody_cli.device_memory import profiles_of_workspace
from custody_cli.loading import workspace_of
from custody_cli.options import STDIO, CustodyCommand, examples, read_input
from custody_cli.output import Answer
from custody_cli.session import Session
from custody_hardware.device_profiles import load_profiles


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        "custody audit report --from 2026-01-01 --to 2026-03-31",
        "custody audit report --from 2026-01-01 --to 2026-03-31 --prices eur.csv -o first-quarter/",
        "custody audit report --journal export.jsonl --from-height 890000 --to-height 903000 -o report.html",
    ),
)
@click.option("--from", "first_day", metavar="DAY", help="First day, as 2026-01-01 (UTC).")
@click.option("--to", "last_day", metavar="DAY", help="Last day, whole.")
@click.option("--from-height", type=click.IntRange(min=0), metavar="N", help="First block, instead of days.")
@click.option("--to-height", type=click.IntRange(min=0), metavar="N", help="Last block.")
@click.option("--journal", type=click.Path(path_type=Path), metavar="FILE", help="An exported journal or a backup.")
@click.option("--expect-head", metavar="HASH", help="The export must hold this head, kept elsewhere.")
@vault_options
@click.option("--prices", metavar="FILE", help="Prices by day (CSV); without it nothing is told in fiat.")
@click.option(
    "--recent-blocks",
    type=click.IntRange(min=1),
    default=RECENT_BLOCKS,
    show_default=True,
    metavar="N",
    help="Tell apart what moved in so many blocks before and after the closing one.",
)
@click.option("--format", "form", type=click.Choice(FORMATS), help="Of what is written; else as the file is named.")
@click.option("-o", "--output", metavar="FILE", help="A file, or `FOLDER/` for all forms; `-` is stdout.")
@click.pass_obj
def report(
    session: Session,
    first_day: str | None,
    last_day: str | None,
    from_height: int | None,
    to_height: int | None,
    journal: Path | None,
    expect_head: str | None,
    prices: str | None,
    recent_blocks: int,
    form: str | None,
    output: str | None,
    vault_file: str | None,
    descriptor: str | None,
    network: str | None,
) -> Answer:
    """Report on a period: balances, what came and left, who signed, and what stands out.

    The balance is computed from the rows and from the coins; a difference is exit 3. No clock and no node is asked:
    blocks are dated by what the journal observed. An incomplete view is exit 9, and no file is written. The journal is
    audited first: an entry that it proves false is an alarm in the report, and exit 10. Another alarm, such as an
    outflow that nothing explains, is exit 3; the report is written all the same.
    """
    form = form or form_of(output)
    order = ReportOrder(
        asked=_asked(first_day, last_day, from_height, to_height),
        profiles=load_profiles() if journal is not None else profiles_of_workspace(workspace_of(session)),
        prices=None if prices is None else Prices.from_csv(read_input(prices, max_bytes=MAX_BYTES)),
        recent_blocks=recent_blocks,
    )
    made = _made(session, order, journal, expect_head, VaultChoice(vault_file, descriptor, network))
    return shown(made, form) if output in (None, STDIO) else written(made, form, output)


def _made(
    session: Session, order: ReportOrder, journal: Path | None, expect_head: str | None, choice: VaultChoice
) -> Report:
    is_chosen = choice.vault_file is not None or choice.descriptor is not None
    if journal is not None:
        expected = choice.load(session) if is_chosen else None
        return report_of_export(journal, order, expected=expected, expect_head=expect_head, progress=session.progress)
    if is_chosen or choice.network is not None or expect_head is not None:
        raise click.UsageError("--vault-file, --descriptor, --network and --expect-head go with --journal")
    return report_of_workspace(workspace_of(session), order)


def _asked(first_day: str | None, last_day: str | None, from_height: int | None, to_height: int | None) -> Asked:
    if first_day is not None and last_day is not None and from_height is None and to_height is None:
        return DaysAsked(first_day, last_day)
    if from_height is not None and to_height is not None and first_day is None and last_day is None:
        return HeightsAsked(from_height, to_height)
    raise click.UsageError("give the period: --from and --to, or --from-height and --to-height")
