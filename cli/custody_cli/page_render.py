"""The public page as files: HTML from the facts alone, so that everybody renders the same bytes.

Two pages in plain HTML with one style sheet inside, no script and nothing from elsewhere (a content security
policy says so to the browser). Every text that a person wrote is escaped for display, then for HTML. Nothing
here reads a clock, a file of the user's, or a node.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from custody.audit.publish.document import page_bytes
from custody.audit.publish.page import BY_VAULT, Disclosure, PageFacts
from custody.bitcoin.amount import SATS_PER_BTC, format_btc
from custody.bitcoin.network import Network
from custody.documents.display import escape

FACTS_FILE = "page.json"
CHALLENGE_FILE = "challenge.json"
SCAN_FILE = "scan.txt"
SUMS_FILE = "SHA256SUMS"
PAGES = ("index.html", "verify.html")

_TEMPLATES = ("frame.html.j2", "index.html.j2", "verify.html.j2")
_KINDS = {
    "bip322": ("BIP 322 signature", "A signature over the text below, by enough keys of the address. It can’t spend."),
    "bip127": ("BIP 127 proof", "A transaction over the coins that no node accepts, signed like a payment."),
    "payment": ("payment to itself", "A real payment from the reserve to itself, in a block: it shows its keys."),
    BY_VAULT: ("by the vault’s descriptor", "An address of the vault whose keys signed the payment."),
}
_PORTS = {Network.MAIN: 8332, Network.TESTNET4: 48332, Network.SIGNET: 38332, Network.REGTEST: 18443}
_ABOUT = {
    FACTS_FILE: "every fact of this page, for programs",
    CHALLENGE_FILE: "the auditor’s challenge",
    SCAN_FILE: "the addresses, for a node’s scantxoutset",
}


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    about: str
    size: int
    sha256: str


def render_site(facts: PageFacts, attached: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return every file of the page by name: `attached` (challenge, statements, checkpoints) and what `facts` give."""
    made = {**attached, FACTS_FILE: page_bytes(facts)}
    if facts.addresses:
        made[SCAN_FILE] = _scan_arguments(facts)
    listed = [_described(name, made[name]) for name in sorted(made)]
    # The list of what to save holds the pages too, but no page can hold its own sum.
    names = sorted((*made, *PAGES, SUMS_FILE))
    pages = {name: _rendered(name, facts, listed, names) for name in PAGES}
    made |= pages
    sums = "".join(f"{hashlib.sha256(made[name]).hexdigest()}  {name}\n" for name in sorted(made))
    return {**made, SUMS_FILE: sums.encode("ascii")}


def verify_command(facts: PageFacts, *, statements: str = "") -> str:
    """Return the command line that the page prints: the reader replaces node and cookie by their own."""
    folder = "~/.bitcoin/" if facts.network.is_main else f"~/.bitcoin/{facts.network}/"
    node = f"--node http://127.0.0.1:{_PORTS[facts.network]}", f"--cookie {folder}.cookie"
    return " \\\n    ".join((f"custody audit reserves verify {statements}--page .", *node))


def _rendered(name: str, facts: PageFacts, listed: list[_File], names: list[str]) -> bytes:
    style = _source("style.css").strip()
    kinds = sorted({" ".join(_KINDS[one.kind][0].split()[:2]) for one in facts.proofs if one.kind != "payment"})
    page = _environment().get_template(f"{name}.j2")
    text = page.render(
        facts=facts,
        here=name.removesuffix(".html"),
        style=style,
        style_hash="sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii"),
        by_vault=any(BY_VAULT in one.proofs for one in facts.addresses),
        by_commitment=facts.disclosure is Disclosure.COMMITMENTS,
        files=listed,
        names=names,
        command=verify_command(facts),
        full_command=verify_command(facts, statements="statement.json "),
        chain=str(facts.network),
        kinds=" and ".join(kinds) or "them",
    )
    return (text.strip() + "\n").encode("utf-8")


def _environment() -> Environment:
    environment = Environment(
        loader=DictLoader({name: _source(name) for name in _TEMPLATES}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=False,
        keep_trailing_newline=False,
    )
    environment.filters.update(
        shown=escape,
        btc=_btc,
        btc_plain=format_btc,
        whole=_whole,
        count=_count,
        kind=lambda kind: _KINDS[kind][0],
        explained=lambda kind: _KINDS[kind][1],
        lines=_lines,
        typed=_typed,
        moment=lambda seconds: _utc(seconds).strftime("%-d %B %Y, %H:%M UTC"),
        rfc3339=lambda seconds: _utc(seconds).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    return environment


def _source(name: str) -> str:
    return (files("custody_cli") / "public_page" / name).read_text(encoding="utf-8")


def _described(name: str, content: bytes) -> _File:
    about = _ABOUT.get(name) or (
        "addresses, coins and proofs" if name.startswith("statement") else "a signed head of the journal"
    )
    return _File(name, about, len(content), hashlib.sha256(content).hexdigest())


def _scan_arguments(facts: PageFacts) -> bytes:
    """Return the second argument of `scantxoutset`, on one line as `bitcoin-cli -stdin` takes it."""
    scans = ",".join(f'"addr({one.address})"' for one in facts.addresses)
    return f"[{scans}]\n".encode("ascii")


def _btc(value: int) -> str:
    whole, fraction = divmod(value, SATS_PER_BTC)
    return f"{whole:,}.{fraction:08d}"


def _whole(value: int) -> str:
    return f"{value:,}"


def _count(number: int, one: str, more: str) -> str:
    return f"{number:,} {one if number == 1 else more}"


def _lines(text: str) -> str:
    return "\n".join(escape(line) for line in text.split("\n"))


def _typed(command: str) -> Markup:
    """Return a command line whose words break nowhere but between them, unless one is longer than the screen."""
    # A filter around template text gets markup, whose values are escaped already.
    parts = re.split(r"(\s+)", command.unescape() if isinstance(command, Markup) else command)
    return Markup("").join(Markup("<span>{}</span>").format(part) if part.strip() else part for part in parts)


def _utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
