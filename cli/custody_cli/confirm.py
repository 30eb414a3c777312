"""Ask a person to type the amount before a step that matters; scripts answer on stdin or by option."""

import sys

from custody.codes import Code
from custody.errors import NotYet
from custody.workflow.proposal_view import ProposalView
from custody_cli.output import print_lines
from custody_cli.proposal_screen import payment_lines
from custody_cli.question import ask


def confirm_amount(view: ProposalView, *, verb: str, confirm_sats: int | None) -> None:
    """Show destinations, amount and fee on stderr, and demand the amount in satoshis.

    Raises:
        NotYet: CONFIRMATION_EMPTY or CONFIRMATION_MISMATCH.
    """
    wanted = view.amount_to_confirm
    if confirm_sats is None:
        print_lines(payment_lines(view), sys.stderr)
        typed = ask(f"To {verb} this, type the amount in satoshis ({wanted}), or nothing to stop: ")
        answer = typed.removesuffix("sat").replace(",", "").strip()
        confirm_sats = int(answer) if answer.isascii() and answer.isdigit() else -1
    if confirm_sats != wanted:
        raise NotYet(
            Code.CONFIRMATION_MISMATCH,
            f"the amount typed is not the amount of this payment, which is {wanted} sat",
            advice="Read the payment again; if it is right, repeat with exactly that amount.",
            details={"wanted_sats": wanted},
        )
