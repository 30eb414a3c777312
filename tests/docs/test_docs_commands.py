"""The pages name only commands and options that exist, explain every command, and link to pages that exist."""

import hashlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from custody_cli.app import root

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_SPAN = re.compile(r"`(custody [^`]+)`", re.DOTALL)
_LINE = re.compile(r"^(?:[ \t]*(?:\$ )?)(custody [a-z-].*)$", re.MULTILINE)
_NAME = re.compile(r"[a-z][a-z0-9-]*")


def _commands_of(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None, name
        yield from _commands_of(found, (*path, name))


COMMANDS = dict(_commands_of(root))


def _code_of(page: Path) -> Iterator[str]:
    """Yield the command lines in a page's code: indented or fenced lines, and spans."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    prose = []
    fenced = False
    for line in text.split("\n"):
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield from (found.group(1) for found in _LINE.finditer(line))
        else:
            prose.append(line)
    yield from (" ".join(found.group(1).split()) for found in _SPAN.finditer("\n".join(prose)))


def _lines() -> list[tuple[str, str]]:
    return [(str(page.relative_to(ROOT)), line) for page in PAGES for line in _code_of(page)]


def _words(line: str) -> Iterator[list[str]]:
    """Split a line as a shell does, at `&&`, without comments, pipes and redirections."""
    for part in re.split(r"&&|\|", line.replace("'…'", "…")):
        words = shlex.split(re.split(r"\s[<>]", part)[0], comments=True)
        if words[:1] == ["custody"]:
            yield words[1:]


def _options_of(command: click.Command) -> dict[str, bool]:
    """Each option's spelling, and whether a value follows it."""
    options = {"--help": False}
    for parameter in command.get_params(click.Context(command)):
        if isinstance(parameter, click.Option):
            takes_value = not (parameter.is_flag or parameter.count)
            options |= dict.fromkeys((*parameter.opts, *parameter.secondary_opts), takes_value)
    return options


def _problem(words: list[str]) -> str | None:
    command: click.Command = root
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word.startswith("-") and word != "-":
            spelling, equals, _value = word.partition("=")
            options = _options_of(command)
            if spelling not in options:
                return f"no option {spelling}"
            if options[spelling] and not equals and rest:
                rest.pop(0)
        elif isinstance(command, click.Group):
            found = command.get_command(click.Context(command), word)
            if found is None:
                return f"no command {word}" if _NAME.fullmatch(word) else None
            command = found
    return None


@pytest.mark.parametrize(("page", "line"), _lines())
def test_documented_command_exists(page: str, line: str) -> None:
    for words in _words(line):
        assert _problem(words) is None, f"{page}: `{line}`: {_problem(words)}"


def test_the_check_finds_what_does_not_exist() -> None:
    assert _problem(["vault", "paint"]) == "no command paint"
    assert _problem(["--vault", "x", "proposal", "broadcast", "--yes"]) == "no option --yes"


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_command_has_help_with_an_example(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    context = click.Context(command, info_name=path[-1])
    assert command.help
    text = command.get_help(context)
    assert re.search(rf"Examples?:[\s\S]*custody[^\n]* {re.escape(' '.join(path))}", text), text


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_command_is_mentioned_in_the_docs(path: tuple[str, ...]) -> None:
    mention = re.compile(rf"\bcustody(?: --vault \S+)? {re.escape(' '.join(path))}\b")
    assert any(mention.search(line) for _page, line in _lines()), f"no page mentions `custody {' '.join(path)}`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = [target for target in _LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_documented_vault_id_is_the_hash_of_the_documented_bytes() -> None:
    blocks = (ROOT / "docs/formats/vault.md").read_text(encoding="utf-8").split("```")[1::2]
    document, answer = (block.replace("\n", "") for block in blocks[-2:])
    assert hashlib.sha256(document.encode()).hexdigest() == answer
