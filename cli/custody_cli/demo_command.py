"""`custody demo`: a 3-of-5 reserve from end to end, by the very commands that an officer types.

Everything happens in a new folder on the embedded regtest chain: no server, no network, no
coin of value. Each step prints the command and what it answers; the steps that a command
can't do (mining, tampering) are done here and said. Any surprise ends the demo with its
error: what is printed at the end was seen.
"""

import contextlib
import io
import json
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from custody import atomic
from custody.bitcoin import kernel
from custody.bitcoin.address import address_of, script_of
from custody.bitcoin.amount import format_btc
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.hashing import sha256
from custody.bitcoin.network import Network
from custody.bitcoin.psbt import Psbt
from custody.chain.embedded import EmbeddedBackend
from custody.codes import Code
from custody.errors import ChainUnavailable, CheckFailed, InvalidInput, JsonValue
from custody.workflow.office import open_office
from custody.workflow.sync_coins import watch_request
from custody.workspace.layout import Workspace
from custody.workspace.swapped_folder import PUBLIC_FILE_MODE
from custody_cli.demo_audit import (
    AUDIT_FOLDER,
    BLOCKS_NAME,
    CHALLENGE_NAME,
    EXPORT_NAME,
    PAGE_NAME,
    PROOFS_NAME,
    STATEMENT_NAME,
    AuditFolder,
    sign_folder,
)
from custody_cli.options import CustodyCommand, examples
from custody_cli.output import Answer, Line, Style, Styled, print_lines
from custody_cli.session import Session

NAMES = ("treasury", "ministry", "central-bank", "auditor-general", "escrow")
_SIGNERS = (3, 1, 5)
_START_TIME = 1_767_225_600
"""Block time of the first demo block, 2026-01-01: a fixed date, so that each demo is like the last."""
_WINDOW = 200


@click.command(
    cls=CustodyCommand,
    epilog=examples("custody demo", "custody demo --keep my-first-vault"),
)
@click.option("--keep", metavar="DIR", help="Make the demo's workspace there and leave it; DIR must not exist.")
@click.pass_obj
def demo(session: Session, keep: str | None) -> Answer:
    """Watch a 3-of-5 reserve work on a chain of its own: fund, draft, review, sign, refuse, broadcast, recount, prove.

    With --keep it leaves, in the folder `auditor`, what a custodian hands to an auditor: docs/auditor.md goes on there.
    """
    if not kernel.is_available():
        raise ChainUnavailable(
            Code.COMPONENT_MISSING,
            "the demo needs libbitcoinkernel, which this Python lacks (py-bitcoinkernel has no wheel for 3.14)",
            advice="Run the demo with Python 3.11, 3.12 or 3.13; all else works on this one with a node.",
        )
    with contextlib.ExitStack() as stack:
        if keep is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="custody-demo-"))) / "reserve"
        else:
            folder = Path(keep)
            _require_free(folder)
        story = _Story(folder, quiet=session.as_json)
        return story.tell()


class _Story:
    """The steps of the demo, in their order."""

    def __init__(self, folder: Path, *, quiet: bool) -> None:
        self._folder = folder
        self._quiet = quiet

    def tell(self) -> Answer:
        """Run every step and return what was seen."""
        self._create()
        self._fund()
        proposal_id = self._draft()
        refused = self._tamper(proposal_id)
        self._sign(proposal_id)
        txid = self._broadcast(proposal_id)
        counted = self._recount()
        self._audit()
        self._publish()
        return self._ending(proposal_id, txid, refused, counted)

    def _create(self) -> None:
        from custody_hardware.simulator import simulated_key

        self._say("1. A vault: five keys in five hands, any three can spend. The keys here are public test keys.")
        keys = []
        for number, name in enumerate(NAMES, 1):
            text = simulated_key(number, Network.REGTEST, ScriptType.WSH_SORTEDMULTI).to_text(Network.REGTEST)
            keys += ["--cosigner", f"{name}={text}"]
        create = ["vault", "create", str(self._folder), "--name", "reserve", "--network", "regtest"]
        self._run([*create, "--threshold", "3", *keys], shown="--cosigner treasury=KEY … (five of them)")

    def _fund(self) -> None:
        self._say("2. Receive. The address is derived by two engines that share no code, then handed out once.")
        address = self._json(["address", "next", "--label", "mining pool"])["address"]
        second = self._json(["address", "next", "--label", "donations"])["address"]
        with self._chain() as chain:
            chain.mine(1, script_of(str(address), Network.REGTEST), first_time=_START_TIME)
            chain.mine(1, script_of(str(second), Network.REGTEST))
            chain.mine(110, _nobody())
        self._say("   (112 blocks were mined; two of them pay the vault)")
        self._run(["coins", "sync"])
        self._run(["coins", "list"])

    def _draft(self) -> str:
        self._say("3. Draft a payment to two destinations. Change, fee and every script are checked before it is kept.")
        pays = ["--to", f"{_stranger(1)}=12.5btc", "--to", f"{_stranger(2)}=40btc"]
        self._run(["proposal", "draft", *pays, "--fee-rate", "5", "--reason", "grants 17 and 18"])
        return str(self._json(["proposal", "show"])["proposal_id"])

    def _tamper(self, proposal_id: str) -> str:
        self._say("4. The signer's view: the PSBT and one vault file, nothing else, no network.")
        good = self._folder / "outbox" / "payment.psbt"
        self._run(["proposal", "export", proposal_id[:16], "-o", str(good)], only=("Proposal",))
        vault_file = ["--vault-file", str(self._folder / "vault.yaml")]
        self._run(["psbt", "review", str(good), *vault_file])
        self._say("   Now a thief swaps the change for an address of theirs and keeps all labels as they were:")
        bad = self._folder / "outbox" / "tampered.psbt"
        atomic.create_file(bad, _with_stolen_change(Psbt.parse(atomic.read_file(good, max_bytes=1_000_000))))
        self._run(["psbt", "review", str(bad), *vault_file], expect=3)
        self._say("   And hands the file in as if it had been signed:")
        self._run(["proposal", "add", str(bad)], expect=3)
        return str(Psbt.parse(atomic.read_file(bad, max_bytes=1_000_000)).unsigned_txid)

    def _sign(self, proposal_id: str) -> None:
        self._say("5. Three of five devices sign, in any order. Each shows what it signs; each signature is verified.")
        amount = str(self._json(["proposal", "show", proposal_id[:16]])["confirm_sats"])
        for number in _SIGNERS:
            command = ["proposal", "sign", proposal_id[:16], "--simulator", str(number), "--confirm-sats", amount]
            self._run(command, only=("SIGNED", "WAITS"))

    def _broadcast(self, proposal_id: str) -> str:
        self._say("6. Finalize: our own finalizer, checked by both engines and by libbitcoinkernel. Then broadcast.")
        amount = str(self._json(["proposal", "show", proposal_id[:16]])["confirm_sats"])
        self._run(["proposal", "finalize", proposal_id[:16]], only=("Proposal", "txid", "SIGNED"))
        self._run(["proposal", "broadcast", proposal_id[:16], "--confirm-sats", amount], only=("Proposal", "txid"))
        with self._chain() as chain:
            chain.mine(6, _nobody())
        self._say("   (six blocks were mined)")
        self._run(["coins", "sync"])
        self._run(["status"])
        answer = self._json(["proposal", "show", proposal_id[:16]])
        _demand(answer["state"] == "confirmed", "the payment is not confirmed")
        return str(answer["txid"])

    def _recount(self) -> int:
        self._say("7. Count again from the descriptor alone: derive every script, look into the unspent outputs.")
        office = open_office(Workspace(self._folder))
        with self._chain() as chain:
            found = chain.scan(watch_request(office.vault, _WINDOW, _WINDOW), lambda *_: None)
        total = sum(coin.value for coin in found.coins)
        self._say(f"   {len(found.coins)} coin(s), {format_btc(total)} BTC at block {found.tip.height}")
        listed = self._json(["coins", "list"])["total_sats"]
        _demand(listed == total, "the recount differs from the journal's view")
        self._say("   equal to what `custody coins list` says")
        self._run(["journal", "verify"])
        return total

    def _audit(self) -> None:
        self._say("8. An auditor asks for a proof, with a nonce and a block that nobody knew before.")
        audit = AuditFolder(self._folder / AUDIT_FOLDER)
        audit.make(self._folder)
        asked = ["--network", "regtest", "--holder", "Republic of Practice", "--purpose", "Audit of the demo"]
        nonce = sha256(b"custody demo: the auditor's nonce").hex()
        challenge = audit.file(CHALLENGE_NAME)
        self._run(
            ["audit", "reserves", "challenge", *asked, "--nonce", nonce, "-o", challenge], only=("block", "a proof")
        )
        self._say("   Three devices sign the challenge for each funded address; the messages can't spend anything.")
        proofs = self._folder / PROOFS_NAME
        prove = ["audit", "reserves", "prove", "--challenge", challenge]
        self._run([*prove, "-o", str(proofs)], only=("wrote", "they prove"))
        sign_folder(open_office(Workspace(self._folder)).vault, proofs, _SIGNERS)
        signed = ["--signed", str(proofs), "--disclose", "descriptor"]
        self._run([*prove, *signed, "-o", audit.file(STATEMENT_NAME)], only=("wrote",))
        verify = ["audit", "reserves", "verify"]
        self._run([*verify, audit.file(STATEMENT_NAME), "--challenge", challenge], only=("VALID", "proven sum", "keys"))

    def _publish(self) -> None:
        self._say("9. The public page, and everything that an auditor takes along.")
        audit = AuditFolder(self._folder / AUDIT_FOLDER)
        page = audit.file(PAGE_NAME)
        self._run(["audit", "publish", "--statement", audit.file(STATEMENT_NAME), "-o", page], only=("wrote", "total"))
        self._say("   Somebody changes one digit of the total on the web server:")
        index = Path(page) / "index.html"
        good = atomic.read_file(index, max_bytes=10_000_000)
        atomic.replace_file(index, _with_another_total(good), mode=PUBLIC_FILE_MODE)
        verify = ["audit", "reserves", "verify", "--page", page]
        self._run(verify, expect=3, only=("NOT VALID", "REFUSE"))
        atomic.replace_file(index, good, mode=PUBLIC_FILE_MODE)
        self._say("   (the page was mended again)")
        self._run(verify, only=("VALID", "proven sum"))
        self._run(["journal", "export", "-o", audit.file(EXPORT_NAME)], only=("wrote",))
        self._run(["regtest", "export", "-o", audit.file(BLOCKS_NAME)], only=("wrote",))

    def _ending(self, proposal_id: str, txid: str, refused: str, counted: int) -> Answer:
        seen: dict[str, JsonValue] = {
            "proposal_id": proposal_id,
            "txid": txid,
            "state": "confirmed",
            "refused_unsigned_txid": refused,
            "total_sats": counted,
        }
        lines = (
            Styled(f"The payment {txid} is mined and six blocks deep.", Style.GOOD),
            f"The tampered PSBT {refused} was refused twice.",
            f"The reserve holds {format_btc(counted)} BTC, counted twice.",
        )
        return Answer(seen, lambda: lines)

    def _chain(self) -> EmbeddedBackend:
        return EmbeddedBackend(Workspace(self._folder).chain_dir / "embedded", Network.REGTEST)

    def _say(self, text: str) -> None:
        if not self._quiet:
            print_lines(["", Styled(text, Style.STRONG)], sys.stdout)

    def _json(self, command: Sequence[str]) -> dict[str, JsonValue]:
        """Run a command silently and return its JSON."""
        code, out, err = _captured(["--vault", str(self._folder), *command, "--json"])
        _demand(code == 0, f"`custody {' '.join(command[:2])}` ended with exit {code}: {err.strip()[:500]}")
        answer: dict[str, JsonValue] = json.loads(out)
        return answer

    def _run(
        self, command: Sequence[str], *, expect: int = 0, shown: str | None = None, only: tuple[str, ...] = ()
    ) -> None:
        """Run a command of this program in this process, show it, and demand its exit code."""
        is_create = tuple(command[:2]) == ("vault", "create")
        arguments = list(command) if is_create else ["--vault", str(self._folder), *command]
        code, out, err = _captured(arguments)
        words = shlex.join(command) if shown is None else " ".join((*command[:2], shown))
        lines: list[Line] = [Styled(f"$ custody {words}", Style.FAINT)]
        lines += [f"  {line}" for line in (out + err).splitlines() if not only or line.startswith(only)]
        if expect:
            lines.append(Styled(f"  exit {code}: refused, as it must be", Style.BAD))
        if not self._quiet:
            print_lines(lines, sys.stdout)
        _demand(code == expect, f"`custody {' '.join(command[:2])}` ended with exit {code}, expected {expect}")


def _require_free(folder: Path) -> None:
    if folder.parent.is_dir() and not folder.exists():
        return
    raise InvalidInput(
        Code.FILE_EXISTS if folder.exists() else Code.FILE_NOT_FOUND,
        f"`{folder}` is there already, or the folder that it would stand in is missing",
        advice="Name a new folder in an existing one.",
    )


def _captured(arguments: Sequence[str]) -> tuple[int, str, str]:
    from custody_cli.app import execute

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = execute(arguments)
    return code, out.getvalue(), err.getvalue()


def _with_stolen_change(psbt: Psbt) -> bytes:
    """Return the PSBT with its change paid to a thief, every label kept."""
    for number, output in enumerate(psbt.outputs):
        if output.derivations:
            return psbt.with_output(number, replace(output, script_pubkey=_script("thief"))).serialize()
    raise CheckFailed(Code.CHANGE_METADATA_MISSING, "the demo's payment has no change", advice="Report this as a bug.")


def _with_another_total(page: bytes) -> bytes:
    """Return the page with another first digit of the total that it shows large."""
    before, mark, after = page.partition(b'class="total">')
    _demand(bool(mark), "the page shows no total")
    return before + mark + (b"9" if after[:1] != b"9" else b"8") + after[1:]


def _stranger(number: int) -> str:
    address = address_of(_script(f"payee {number}"), Network.REGTEST)
    _demand(address is not None, "a script has no address")
    return str(address)


def _script(name: str) -> bytes:
    """Return a witness script hash that nobody can spend: the hash of a sentence."""
    return b"\x00\x20" + sha256(f"custody demo: {name}".encode())


def _nobody() -> bytes:
    return _script("nobody")


def _demand(holds: bool, message: str) -> None:
    if not holds:
        raise CheckFailed(Code.CHAIN_DISAGREES, f"the demo stopped: {message}", advice="Report this as a bug.")
