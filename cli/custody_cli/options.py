"""Options and files that every noun shares: global options, groups, networks, input and output.

`--json`, `--vault`, `--as` and `-v` are understood before the noun, after it and after the
verb. Every input from a file or stdin passes the secret gate here, before anything parses it.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import click
from click.shell_completion import CompletionItem

from custody.bitcoin.network import Network
from custody.codes import Code
from custody.documents.names import check_name
from custody.errors import InvalidInput
from custody_cli.session import Session

STDIO = "-"
_Value = TypeVar("_Value")


def examples(*lines: str) -> str:
    """Return the end of a help text: commands that a reader can copy."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def _session(context: click.Context) -> Session:
    # Shell completion parses without a session of ours.
    return context.find_object(Session) or Session()


def _set_json(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        _session(context).as_json = True


def _set_verbose(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        _session(context).verbose = True


def _set_vault(context: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        from custody.documents.secret_gate import scan_text

        scan_text(str(value), place="--vault or CUSTODY_VAULT")  # errors name the folder
        _session(context).vault_directory = value


def _set_actor(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        _session(context).actor = check_name(value)


def global_options(*, at_root: bool) -> list[click.Parameter]:
    """Return the global options; below the root only --json shows in the help."""
    return [
        click.Option(
            ["--vault", "global_vault"],
            type=click.Path(path_type=Path),
            envvar="CUSTODY_VAULT" if at_root else None,
            metavar="DIR",
            expose_value=False,
            callback=_set_vault,
            hidden=not at_root,
            help="The vault's workspace; else CUSTODY_VAULT, else the nearest parent with a vault.yaml.",
        ),
        click.Option(
            ["--as", "global_actor"],
            metavar="NAME",
            expose_value=False,
            callback=_set_actor,
            hidden=not at_root,
            help="Who acts. A claim, recorded and shown as such.",
        ),
        click.Option(
            ["--json", "global_json"],
            is_flag=True,
            expose_value=False,
            callback=_set_json,
            help="Answer with one JSON document.",
        ),
        click.Option(
            ["-v", "--verbose", "global_verbose"],
            is_flag=True,
            expose_value=False,
            callback=_set_verbose,
            hidden=not at_root,
            help="Show progress on stderr.",
        ),
    ]


_BELOW_ROOT = global_options(at_root=False)


class CustodyCommand(click.Command):
    """A verb: a command that also understands the global options."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the command's own parameters and the global ones."""
        return [*super().get_params(ctx), *_BELOW_ROOT]


class NounGroup(click.Group):
    """A noun: its verbs in the order in which they were written."""

    command_class = CustodyCommand

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the group's own parameters and the global ones."""
        return [*super().get_params(ctx), *_BELOW_ROOT]

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (Click's signature)
        """Return the verbs in their order of definition."""
        return list(self.commands)


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """A noun or a verb whose module is imported only when it is used."""

    target: str
    """`module:attribute`."""
    short_help: str

    @property
    def module(self) -> str:
        """The module's name."""
        return self.target.partition(":")[0]

    def load(self) -> click.Command:
        """Import the module and return the command."""
        command = getattr(import_module(self.module), self.target.partition(":")[2])
        if not isinstance(command, click.Command):
            raise TypeError(self.target)
        return command


class LazyGroup(click.Group):
    """Commands from a fixed table, imported on use, so that help and completion stay quick."""

    lazy: Mapping[str, LazyCommand] = {}

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command, None if there is no such one."""
        return self.lazy[cmd_name].load() if cmd_name in self.list_commands(ctx) else None

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (Click's signature)
        """Return the commands that this installation has, in the table's order."""
        return [name for name, command in self.lazy.items() if find_spec(command.module) is not None]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; suggest near ones for a mistyped name."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            names = self.list_commands(ctx)
            raise click.exceptions.NoSuchCommand(error.command_name, possibilities=names, ctx=ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table without importing any of it."""
        rows = [(name, self.lazy[name].short_help) for name in self.list_commands(ctx)]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names and options without importing any of the table."""
        nouns = [
            CompletionItem(name, help=self.lazy[name].short_help)
            for name in self.list_commands(ctx)
            if name.startswith(incomplete)
        ]
        return [*nouns, *click.Command.shell_complete(self, ctx, incomplete)]


class LazyNoun(LazyGroup):
    """A noun whose verbs are imported on use: for nouns with many verbs of little in common."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the group's own parameters and the global ones."""
        return [*super().get_params(ctx), *_BELOW_ROOT]


NETWORK = click.Choice([str(network) for network in Network])
"""For --network: there is no default network."""


def read_input(place: str, *, max_bytes: int) -> bytes:
    """Read a file, or stdin for `-`, and refuse it if it holds secret material.

    Raises:
        InvalidInput: not a plain file, or too large.
        SecretRefused: it holds what looks like a private key or a seed.
    """
    from custody import atomic  # only commands that read files pay for these two
    from custody.documents.secret_gate import scan_bytes

    data = _read_stdin(max_bytes) if place == STDIO else atomic.read_file(Path(place), max_bytes=max_bytes)
    scan_bytes(data, place="stdin" if place == STDIO else f"file `{place}`")
    return data


def _read_stdin(max_bytes: int) -> bytes:
    data = b"" if sys.stdin is None else sys.stdin.buffer.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise InvalidInput(
            Code.FILE_TOO_LARGE,
            f"stdin has more than {max_bytes} bytes",
            advice="Check that it is the file that you mean.",
        )
    return data
