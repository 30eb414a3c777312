"""What `custody audit reserves prove` answers: the proofs that were written, the payment to make, the statement."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from custody.audit.reserves.challenge import Challenge
from custody.audit.reserves.prove import Held, Route, UnsignedProof
from custody.audit.reserves.statement import NOT_PROVEN_BY_PAYMENT
from custody.bitcoin.amount import format_btc
from custody.bitcoin.bip322 import message_hash
from custody.ports import Tip
from custody.spend.card import psbt_name
from custody.workflow.attest_reserves import PlannedPayment
from custody.workflow.prove_reserves import Attested
from custody_cli.audit_reserves_screen import verdict_json, verdict_lines
from custody_cli.output import Answer, Line


def written_answer(
    challenge: Challenge,
    challenge_file: str,
    held: Held,
    route: Route,
    proofs: Sequence[UnsignedProof],
    names: Sequence[str],
    folder: Path,
) -> Answer:
    """Return the answer for proofs that were written into a folder."""
    return Answer(
        {
            "folder": str(folder),
            "route": str(route),
            "challenge_digest": challenge.digest,
            "height": challenge.height,
            "block_hash": challenge.block_hash,
            "message": challenge.message.decode("ascii"),
            "message_hash": message_hash(challenge.message).hex(),
            "total_sats": held.total,
            "coins": len(held.coins),
            "files": list(names),
            "proofs": [
                {
                    "file": psbt_name(one.name),
                    "addresses": list(one.addresses),
                    "unsigned_txid": one.psbt.unsigned_txid,
                }
                for one in proofs
            ],
        },
        lambda: _written_lines(challenge, challenge_file, held, route, names, folder),
    )


def _written_lines(
    challenge: Challenge, challenge_file: str, held: Held, route: Route, names: Sequence[str], folder: Path
) -> Iterator[Line]:
    psbts = [name for name in names if name.endswith(".psbt")]
    yield f"wrote {len(names)} files to {folder}: {len(psbts)} to sign, by route {route}"
    yield f"  {psbts[0]}" + (f" to {psbts[-1]}" if len(psbts) > 1 else "")
    yield "  " + ", ".join(name for name in names if not name.endswith(".psbt"))
    yield (
        f"they prove {format_btc(held.total)} BTC in {len(held.coins)} coin(s) at {len(held.places)} address(es), "
        f"at block {challenge.height}"
    )
    yield "nothing can be spent by them"
    yield "each signer signs every file: as many signers as the vault's threshold"
    yield f"all must be back before block {challenge.expires_height} is past; then:"
    file, signed = shlex.quote(challenge_file), shlex.quote(str(folder))
    yield f"  custody audit reserves prove --challenge {file} --signed {signed} -o statement.json"


def payment_answer(challenge: Challenge, challenge_file: str, planned: PlannedPayment) -> Answer:
    """Return the answer that says which payment proves the keys."""
    command = draft_command(planned)
    return Answer(
        {
            "route": str(Route.PAYMENT),
            "address": planned.address,
            "amount_sats": planned.amount,
            "coin": None if planned.coin is None else str(planned.coin),
            "command": command,
            "mined_after": challenge.height,
            "mined_by": challenge.expires_height,
            "not_proven": [NOT_PROVEN_BY_PAYMENT],
        },
        lambda: _payment_lines(challenge, challenge_file, planned, command),
    )


def draft_command(planned: PlannedPayment) -> str:
    """Return the command that drafts the payment."""
    coin = "" if planned.coin is None else f" --coin {planned.coin}"
    return f'custody proposal draft --to {planned.address}={planned.amount}sat{coin} --reason "{planned.reason}"'


def _payment_lines(challenge: Challenge, challenge_file: str, planned: PlannedPayment, command: str) -> Iterator[Line]:
    yield "this route is a real payment of the vault to itself, small, and with a fee"
    yield f"pay exactly {planned.amount} sat, which only this challenge gives, to"
    yield f"  {planned.address}"
    yield f"it must be mined after block {challenge.height} and up to block {challenge.expires_height}:"
    yield f"  {command}"
    if planned.coin is None:
        yield "no coin that was held at the block can be spent now: free one first, and name it with --coin"
    yield "add --fee-rate where your node has no estimate; approve, sign and broadcast it as any other"
    yield "once it is in a block:"
    yield "  custody coins sync"
    yield (
        f"  custody audit reserves prove --challenge {shlex.quote(challenge_file)} --route payment --txid TXID "
        "--disclose descriptor -o statement.json"
    )
    yield f"it does not prove {NOT_PROVEN_BY_PAYMENT}"


def handed_out_answer(
    challenge: Challenge, made: Attested, output: str, tip: Tip, source: str, *, journalled: bool
) -> Answer:
    """Return the answer for a statement that was written, with our own verification of it."""
    return Answer(
        {
            **verdict_json(made.verdict, challenge, tip, source),
            "file": output,
            "digest": made.statement.digest,
            "signers": list(made.signers),
            "journalled": journalled,
        },
        lambda: (
            f"wrote {output}, digest {made.statement.digest}",
            f"signed by {', '.join(made.signers)}" + ("; the journal says so" if journalled else ""),
            "our own verification, the one that the auditor runs:",
            *verdict_lines(made.verdict, challenge, tip, source),
        ),
    )
