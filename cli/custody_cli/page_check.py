"""Holds a public page against what its statements give: every byte of it is written anew and compared.

That alone proves no coin: whoever changed page and statement together passes here, and fails where the
statements are verified with a node, which `audit reserves verify --page` does next. On a page of commitments
the statements are only known to whoever was given them; without them nothing of its total can be counted.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from custody.atomic import opened_folder
from custody.audit.publish import page as page_file
from custody.audit.publish.document import parse_page
from custody.audit.publish.facts import PageSources, amounts_of, open_facts
from custody.audit.publish.page import Disclosure, PageCheckpoint, PageFacts
from custody.audit.reserves import statement as statement_file
from custody.audit.reserves.statement import Statement, parse_statement
from custody.codes import Code
from custody.documents.display import escape
from custody.documents.secret_gate import scan_bytes
from custody.errors import Conflict, CustodyError, Finding, InvalidInput, Severity
from custody.workflow import checkpoint
from custody.workflow.checkpoint import SignedHead, require_sound
from custody_cli.page_render import CHALLENGE_FILE, FACTS_FILE, render_site

_ADVICE = "Believe nothing on this page; take it again from its publisher, and tell them."
_MAX_PAGE_FILES = 2 * page_file.MAX_FILES
_MAX_PAGE_BYTES = 4 * statement_file.MAX_BYTES
_OWN_NAME = re.compile(
    r"index\.html|verify\.html|page\.json|challenge\.json|scan\.txt|SHA256SUMS|(?:statement|checkpoint)-[0-9]{1,3}\.json"
)


@dataclass(frozen=True, slots=True)
class PageFolder:
    """A public page as it lies in a folder."""

    facts: PageFacts
    content: dict[str, bytes]
    """Every file by name."""


@dataclass(frozen=True, slots=True)
class PageCheck:
    """What a page's files say among themselves."""

    statements: tuple[Statement, ...]
    """Those beside the page, else those that were given."""
    findings: tuple[Finding, ...]

    @property
    def is_counted(self) -> bool:
        """Whether there is a statement to verify."""
        return bool(self.statements)


def read_page(folder: Path) -> PageFolder:
    """Read a page's folder, each file once.

    Raises:
        InvalidInput: no folder, no page in it, or a file that is too large or malformed.
        SecretRefused: a file holds what looks like a key.
    """
    content = {}
    with opened_folder(folder) as opened:
        names = opened.names()
        if FACTS_FILE not in names or len(names) > _MAX_PAGE_FILES:
            raise InvalidInput(
                Code.UNKNOWN_FORMAT,
                f"`{folder}` holds no public page",
                advice=f"Give the folder that `audit publish` wrote, with its {FACTS_FILE}.",
            )
        for name in names:
            content[name] = opened.read(name, max_bytes=statement_file.MAX_BYTES)
            if sum(map(len, content.values())) > _MAX_PAGE_BYTES:
                raise InvalidInput(
                    Code.FILE_TOO_LARGE,
                    f"the files in `{folder}` have more than {_MAX_PAGE_BYTES} bytes together",
                    advice="Check that it is the folder that you mean.",
                )
            scan_bytes(content[name], place=f"file `{name}` of the page")
    return PageFolder(parse_page(content[FACTS_FILE]), content)


def generator() -> str:
    """Return this program's name and version, as it stands in the pages that it writes."""
    return f"custody {version('reserve-custody')}"


def require_own_page(folder: Path) -> None:
    """Demand that nothing but a page lies in a folder that is about to be replaced, or that there is none.

    Raises:
        Conflict: FILE_EXISTS, something else lies there. InvalidInput: the page in it can't be read.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    foreign = [name for name in sorted(read_page(folder).content) if _OWN_NAME.fullmatch(name) is None]
    if foreign:
        raise Conflict(
            Code.FILE_EXISTS,
            f"`{folder}` holds `{foreign[0][:80]}`, which is none of a page's files",
            advice="Move it away first: what is replaced is gone as a whole.",
        )


def check_page(page: PageFolder, given: Sequence[Statement] = ()) -> PageCheck:
    """Write the page anew from its statements (of a page of commitments: those `given`) and compare every byte."""
    findings: list[Finding] = []
    statements = tuple(given)
    if page.facts.disclosure is Disclosure.ADDRESSES:
        statements = tuple(_statement(page, one.name) for one in page.facts.statements if one.name is not None)
    wanted, attached = _again(page, statements, findings)
    rendered = render_site(wanted, attached)
    for name in sorted(rendered.keys() | page.content.keys()):
        findings += _compared(name, page.content.get(name), rendered.get(name), wanted)
    if not statements:
        findings.append(_not_counted(page.facts))
    return PageCheck(statements, tuple(findings))


def checkpoint_facts(name: str, head: SignedHead) -> PageCheckpoint:
    """Return what a page shows of a checkpoint file."""
    officers = tuple(officer for officer, _signature in head.signatures)
    return PageCheckpoint(
        name, head.network, head.vault_id, head.journal_id, head.length, head.head, head.time, officers
    )


def attached_files(
    statements: Sequence[Statement], checkpoints: Sequence[SignedHead], disclosure: Disclosure
) -> dict[str, bytes]:
    """Return the documents beside a page by name, each in its canonical form."""
    files = {f"checkpoint-{number}.json": head.to_bytes() for number, head in enumerate(checkpoints, 1)}
    if statements:
        files[CHALLENGE_FILE] = statements[0].challenge.to_bytes()
    if disclosure is Disclosure.ADDRESSES:
        files |= {f"statement-{number}.json": one.to_bytes() for number, one in enumerate(statements, 1)}
    return files


def _again(
    page: PageFolder, statements: tuple[Statement, ...], findings: list[Finding]
) -> tuple[PageFacts, dict[str, bytes]]:
    """Return the facts that the statements give, with the documents beside the page."""
    facts = page.facts
    names = [one.name for one in facts.checkpoints]
    heads = [SignedHead.from_bytes(_file(page, name, checkpoint.MAX_BYTES)) for name in names]
    findings += [one for name, head in zip(names, heads, strict=True) if (one := _unsound(name, head)) is not None]
    attached = attached_files(statements, heads, facts.disclosure)
    shown = tuple(checkpoint_facts(f"checkpoint-{number}.json", head) for number, head in enumerate(heads, 1))
    if not statements:
        attached[CHALLENGE_FILE] = facts.challenge.to_bytes()
        return replace(facts, checkpoints=shown), attached
    wanted = open_facts(PageSources(facts.generator, statements, facts.block.median_time, shown))
    if facts.disclosure is Disclosure.COMMITMENTS:
        if len(amounts_of(statements)) != len(facts.commitments):
            findings.append(_differs(FACTS_FILE, "it has another number of commitments than funded addresses"))
        hidden = tuple(replace(one, name=None) for one in wanted.statements)
        wanted = replace(wanted, addresses=(), commitments=facts.commitments, statements=hidden)
    return wanted, attached


def _unsound(name: str, head: SignedHead) -> Finding | None:
    try:
        require_sound(head)
    except CustodyError as error:
        return _differs(name, f"a signature in it is none over its head: {error.message}")
    return None


def _statement(page: PageFolder, name: str) -> Statement:
    return parse_statement(_file(page, name, statement_file.MAX_BYTES))


def _file(page: PageFolder, name: str, max_bytes: int) -> bytes:
    content = page.content.get(name)
    if content is None or len(content) > max_bytes:
        raise InvalidInput(
            Code.FILE_NOT_FOUND,
            f"the page names the file `{name}`, which is not beside it or too large",
            advice="Save every file of the page into one folder.",
        )
    return content


def _compared(name: str, found: bytes | None, wanted: bytes | None, facts: PageFacts) -> list[Finding]:
    if found == wanted:
        return []
    if wanted is None:
        return [
            Finding(
                Code.PAGE_DIFFERS,
                Severity.WARN,
                _where(name),
                "it is none of the page's files; nothing in it was checked",
                "Don't take it for a part of the page.",
            )
        ]
    if found is None:
        return [_differs(name, "it is missing")]
    lines, again = found.split(b"\n"), wanted.split(b"\n")
    place = next((n for n, (one, other) in enumerate(zip(lines, again, strict=False), 1) if one != other), 0)
    line = place or min(len(lines), len(again))
    message = f"line {line} is not what the statements give (their total: {facts.total} sat)"
    if facts.generator != generator():
        message += f"; `{escape(facts.generator[:80])}` is said to have written it, this is `{generator()}`"
    return [_differs(name, message)]


def _differs(name: str, message: str) -> Finding:
    return Finding(Code.PAGE_DIFFERS, Severity.REFUSE, _where(name), message, _ADVICE)


def _where(name: str) -> str:
    return f"page:{name}"


def _not_counted(facts: PageFacts) -> Finding:
    return Finding(
        Code.PAGE_NOT_COUNTED,
        Severity.WARN,
        "page",
        f"the page shows {len(facts.commitments)} commitment(s) and no address: its total can't be counted from it",
        "Ask for the statements and name them in the same command, or take the total as the custodian's word.",
    )
