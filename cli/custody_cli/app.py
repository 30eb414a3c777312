"""The command `custody`: the root, its nouns, and how every outcome becomes an exit code.

Nothing leaves here as a traceback. Arguments pass the secret gate before Click sees them, so
that no usage error can repeat a secret. A noun's module is imported when it is used.
"""

import errno
import os
import resource
import sys
from collections.abc import Sequence

import click

from custody.codes import Code
from custody.errors import Conflict, CustodyError, NotYet
from custody_cli.options import LazyCommand, LazyGroup, examples, global_options
from custody_cli.output import (
    Answer,
    StreamedAnswer,
    print_answer,
    print_bug,
    print_error,
    print_interrupted,
    print_stream,
    print_usage_error,
)
from custody_cli.session import Session

NOUNS = {
    "demo": LazyCommand("custody_cli.demo_command:demo", "Watch a 3-of-5 reserve work, on a chain of its own."),
    "status": LazyCommand("custody_cli.status_command:status", "Who is awaited, what is unexplained."),
    "vault": LazyCommand("custody_cli.vault_commands:vault", "Create, import, show, check, compare, export a vault."),
    "cosigner": LazyCommand("custody_cli.cosigner_commands:cosigner", "The keys, and their custodians' attestations."),
    "address": LazyCommand("custody_cli.address_offline:address", "Receive addresses: hand out, list, verify."),
    "coins": LazyCommand("custody_cli.coins_commands:coins", "Coins: sync with the chain, list, freeze, label."),
    "officer": LazyCommand("custody_cli.officer_commands:officer", "People with an SSH key: enrol, list, revoke."),
    "allowlist": LazyCommand("custody_cli.allowlist_commands:allowlist", "Destinations that payments may go to."),
    "policy": LazyCommand("custody_cli.policy_commands:policy", "The spend policy: check, test, explain, adopt."),
    "change": LazyCommand("custody_cli.change_commands:change", "Changes of governance on their way: sign, refuse."),
    "proposal": LazyCommand("custody_cli.proposal_commands:proposal", "Payments: draft, approve, sign, broadcast."),
    "device": LazyCommand("custody_cli.device_commands:device", "Hardware signers: keys, addresses, a check."),
    "psbt": LazyCommand("custody_cli.psbt_commands:psbt", "Review a PSBT or bundle; combine, convert. No workspace."),
    "qr": LazyCommand("custody_cli.qr_commands:qr", "QR codes: show a PSBT or a descriptor, read them."),
    "pin": LazyCommand("custody_cli.pin_commands:pin", "A signer's own pin: whose officers and policy count."),
    "regtest": LazyCommand("custody_cli.regtest_commands:regtest", "The embedded practice chain: mine blocks."),
    "audit": LazyCommand("custody_cli.audit_commands:audit", "Check it all anew; prove and publish the reserve."),
    "journal": LazyCommand("custody_cli.journal_commands:journal", "The journal: show, verify, export, move."),
}
"""Every noun by name: where it lives and what the root's help says of it. An absent module's noun is not shown."""


_SHORTEST_SECRET = 16
"""Characters: well below a mini private key (22), the shortest thing that the gate knows."""


class _Root(LazyGroup):
    lazy = NOUNS


root = _Root(
    name="custody",
    params=global_options(at_root=True),
    help=(
        "Watch-only multisig custody: build a vault, draft a payment, review what it really does, collect "
        "signatures made elsewhere, and prove all of it from one descriptor.\n\n"
        "No private key ever enters this program."
    ),
    epilog=examples(
        "custody demo",
        "custody vault create reserve --name reserve --network regtest --threshold 2 \\",
        "    --cosigner ann=KEY --cosigner bo=KEY --cosigner cy=KEY",
        "custody --vault reserve vault show --json",
        "custody psbt review payment.psbt --vault-file vault.yaml",
    ),
)
click.version_option(package_name="reserve-custody", prog_name="custody", message="%(prog)s %(version)s")(root)


def main() -> None:
    """Run the command line and leave with its exit code."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no core dump may keep what passed through memory
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    code = execute(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _close_stdout()
    sys.exit(code)


def execute(arguments: Sequence[str], command: click.Command = root) -> int:
    """Run one command line, print its outcome and return the exit code."""
    session = Session(as_json=_asks_for_json(arguments))
    try:
        _refuse_secrets(arguments)
        return _run(command, arguments, session)
    except CustodyError as error:
        return print_error(error, as_json=session.as_json)
    except click.Abort as error:
        if isinstance(error.__cause__, EOFError):
            return print_error(_no_answer(), as_json=session.as_json)
        return print_interrupted(as_json=session.as_json)
    except KeyboardInterrupt:
        return print_interrupted(as_json=session.as_json)
    except click.ClickException as error:
        return _usage(error, as_json=session.as_json)
    except BrokenPipeError:
        _close_stdout()
        return 0
    except OSError as error:
        return print_error(_system_refused(error), as_json=session.as_json)
    except Exception as error:  # noqa: BLE001 (the one place: no traceback reaches a user)
        return print_bug(error, as_json=session.as_json)


def _run(command: click.Command, arguments: Sequence[str], session: Session) -> int:
    answer = command.main(args=list(arguments), prog_name="custody", standalone_mode=False, obj=session)
    if isinstance(answer, Answer):
        try:
            return print_answer(answer, as_json=session.as_json)
        except BrokenPipeError:
            _close_stdout()
            return answer.exit_code  # a reader that leaves early makes no yes of a no
    if isinstance(answer, StreamedAnswer):
        return print_stream(answer, as_json=session.as_json)
    return answer if isinstance(answer, int) else 0


def _refuse_secrets(arguments: Sequence[str]) -> None:
    """Let the secret gate see the arguments; what is shorter than any secret needs no gate, and no import of it."""
    if len(" ".join(arguments)) >= _SHORTEST_SECRET:
        from custody.documents.secret_gate import scan_arguments

        scan_arguments(list(arguments))


def _asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether an error must be JSON, known before anything is parsed."""
    return "--json" in (arguments[: arguments.index("--")] if "--" in arguments else arguments)


def _usage(error: click.ClickException, *, as_json: bool) -> int:
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context is not None else "custody"
    if isinstance(error, click.exceptions.NoArgsIsHelpError) and not as_json:
        click.echo(error.format_message(), err=True)
        return 2
    message = "a command is missing" if isinstance(error, click.exceptions.NoArgsIsHelpError) else _sentence(error)
    return print_usage_error(message, advice=f"See `{path} --help`.", as_json=as_json)


def _sentence(error: click.ClickException) -> str:
    """Return Click's words in our form: lower case, no full stop."""
    words = error.format_message()
    return (words[:1].lower() + words[1:]).rstrip(".")


def _no_answer() -> NotYet:
    return NotYet(
        Code.CONFIRMATION_EMPTY,
        "the input ended before the question was answered",
        advice="Answer on stdin, or give the answer as an option.",
    )


def _system_refused(error: OSError) -> Conflict:
    # The error's own text may hold a path that a person pasted a secret into: only its number is shown.
    words = os.strerror(error.errno).lower() if error.errno else type(error).__name__
    name = errno.errorcode.get(error.errno or 0, "OSError")
    return Conflict(
        Code.FILE_UNREADABLE,
        f"the operating system refused: {words} ({name})",
        advice="Mend what it names (rights, space, a path), then run the command again.",
    )


def _close_stdout() -> None:
    """Let the interpreter's last flush go nowhere: the reader of our output has left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
