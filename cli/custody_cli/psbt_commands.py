"""`custody psbt`: review, combine, finalize and convert PSBTs, without a workspace or a network."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from custody import atomic
from custody.bitcoin.psbt import Psbt, psbt_from_text_or_bytes
from custody.bitcoin.psbt_version import to_version
from custody.codes import Code
from custody.errors import JsonValue, UsageError
from custody.spend.progress import SigningProgress
from custody.vault.vault import Vault
from custody.workflow.psbt_files import (
    Combined,
    Finalized,
    combine_files,
    finalize_file,
    finish_proof_file,
    read_returned,
)
from custody.workflow.review_psbt import review_psbt
from custody_cli.loading import load_vault_at
from custody_cli.options import STDIO, NounGroup, examples, read_input
from custody_cli.output import Answer, Line, Style, Styled, finding_lines, findings_json
from custody_cli.proof_screen import finished_answer
from custody_cli.review_options import MAX_PSBT_FILE, MAX_SIGNERS_FILE, Terms, is_bundle, read_psbt, review_options
from custody_cli.review_screen import review_answer
from custody_cli.session import Session

_vault_file = click.option(
    "--vault-file", required=True, metavar="FILE", help="Your own copy of the vault file: what you trust."
)
_output = click.option("-o", "--output", default=STDIO, metavar="OUT", help="A new file; stdout by default, in base64.")


@click.group(
    cls=NounGroup,
    epilog=examples(
        "custody psbt review payment.psbt --vault-file vault.yaml",
        "custody psbt combine payment.psbt ann.psbt bo.psbt --vault-file vault.yaml -o signed.psbt",
        "custody psbt finalize signed.psbt --vault-file vault.yaml -o payment.txn",
        "custody psbt finalize signed-proof.psbt --vault-file vault.yaml -o proof.txt",
    ),
)
def psbt() -> None:
    """PSBTs and bundles: review before you sign; combine, finalize, convert. No workspace, no network."""


@psbt.command(
    epilog=examples(
        "custody psbt review payment.psbt --vault-file vault.yaml",
        "custody psbt review payment.bundle --vault-file vault.yaml --pin trust.yaml",
        "custody psbt review payment.psbt --vault-file vault.yaml --last-used-index 41 --expect-txid 5f…",
        "custody psbt review - --vault-file vault.yaml --json < payment.psbt",
    )
)
@click.argument("file", metavar="FILE")
@_vault_file
@click.option("--pin", metavar="FILE", help="Your own trust pin: demands approvals, which only a bundle carries.")
@review_options
def review(file: str, vault_file: str, pin: str | None, **terms: "int | str | tuple[str, ...] | None") -> Answer:
    """Say what the PSBT or bundle in FILE really does, by your own vault file and pin.

    Exit 0 when clean or warned, 3 when refused, 6 when FILE is no PSBT and no bundle. A bundle without a pin is
    refused, and so is a bare PSBT with one: it carries no approvals.
    """
    vault = load_vault_at(vault_file)
    data = read_input(file, max_bytes=MAX_SIGNERS_FILE)
    context = Terms(terms).context(vault.network)
    if is_bundle(data) or pin is not None:
        from custody_cli.bundle_review import governed_answer  # only who has bundles pays for it

        return governed_answer(data, vault, pin, context)
    answer = review_psbt(psbt_from_text_or_bytes(data), vault, context)
    return review_answer(answer, vault)


@psbt.command(
    epilog=examples(
        "custody psbt combine payment.psbt ann.psbt bo.psbt cy.txn --vault-file vault.yaml -o signed.psbt",
    )
)
@click.argument("files", metavar="FILE…", nargs=-1, required=True)
@_vault_file
@_output
def combine(files: tuple[str, ...], vault_file: str, output: str) -> Answer:
    """Put the signatures of all FILEs into the first complete one, each verified; nothing else is taken."""
    if len(files) < 2:
        raise UsageError(Code.USAGE, "combine needs two files or more", advice="Name the original and what came back.")
    vault = load_vault_at(vault_file)
    returned = [read_returned(read_input(file, max_bytes=MAX_PSBT_FILE)) for file in files]
    combined = combine_files(returned, vault)
    raw = _write(output, combined.psbt)
    return Answer(_combined_json(combined, output), lambda: _combined_lines(combined, vault, output), raw=raw)


@psbt.command(
    epilog=examples("custody psbt finalize signed.psbt --vault-file vault.yaml -o payment.txn"),
)
@click.argument("file", metavar="FILE")
@_vault_file
@click.option(
    "-o",
    "--output",
    default=STDIO,
    metavar="OUT",
    help="A new file: the transaction in hex (of a proof the signature), or the finalized PSBT where OUT ends in "
    ".psbt; stdout by default.",
)
@review_options
@click.pass_obj
def finalize(
    session: Session, /, file: str, vault_file: str, output: str, **terms: "int | str | tuple[str, ...] | None"
) -> Answer:
    """Finish a PSBT with enough signatures, after a review, and write the transaction to broadcast.

    Of a proof the signature is written for whoever asked for it, as BIP 322 has it (smp, ful, pof), or a BIP 127
    proof's transaction in hex; neither can be spent or broadcast.

    Exit 3 when the review or a signature fails, 5 when signatures are missing.
    """
    vault, given = load_vault_at(vault_file), read_psbt(file)
    context = Terms(terms).context(vault.network)
    proof = finish_proof_file(given, vault, context)
    if proof is not None:
        return finished_answer(proof, _file_json(output), _write_text(output, proof.text))
    finalized = finalize_file(given, vault, context)
    if not finalized.kernel_verified:
        session.talk("libbitcoinkernel is missing on this Python: its opinion on the scripts was not asked")
    raw = _write_final(output, finalized)
    return Answer(_finalized_json(finalized, output), lambda: _finalized_lines(finalized, output), raw=raw)


@psbt.command(
    epilog=examples("custody psbt convert payment.psbt --version 0 -o payment-v0.psbt"),
)
@click.argument("file", metavar="FILE")
@click.option("--version", "version", required=True, type=click.Choice(["0", "2"]), help="Most devices read 0 only.")
@_output
def convert(file: str, version: str, output: str) -> Answer:
    """Write the PSBT of FILE in the other version, without loss or not at all."""
    converted = to_version(read_psbt(file), int(version))
    raw = _write(output, converted)
    json: dict[str, JsonValue] = {
        "version": converted.version,
        "unsigned_txid": converted.unsigned_txid,
        "psbt": converted.to_base64(),
    }
    return Answer({**json, **_file_json(output)}, lambda: (f"wrote {output}, PSBT version {version}",), raw=raw)


def _write(output: str, written: Psbt) -> bytes | None:
    """Write a new binary file, or return the base64 text for stdout."""
    if output == STDIO:
        return f"{written.to_base64()}\n".encode()
    atomic.create_file(Path(output), written.serialize())
    return None


def _write_final(output: str, finalized: Finalized) -> bytes | None:
    """Write the transaction in hex, or the PSBT to a name that ends in .psbt, or return the hex for stdout."""
    text = f"{finalized.transaction.serialize().hex()}\n".encode()
    if output == STDIO:
        return text
    atomic.create_file(Path(output), finalized.psbt.serialize() if output.endswith(".psbt") else text)
    return None


def _write_text(output: str, text: str) -> bytes | None:
    """Write a proof's text to a new file, or return it for stdout."""
    line = f"{text}\n".encode()
    if output == STDIO:
        return line
    atomic.create_file(Path(output), line)
    return None


def _combined_json(combined: Combined, output: str) -> dict[str, JsonValue]:
    return {
        "unsigned_txid": combined.psbt.unsigned_txid,
        "psbt": combined.psbt.to_base64(),
        "signing": combined.signing.to_json(),
        "findings": findings_json(combined.notes),
        **_file_json(output),
    }


def _combined_lines(combined: Combined, vault: Vault, output: str) -> Iterator[Line]:
    yield f"wrote {output}"
    yield f"unsigned txid  {combined.psbt.unsigned_txid}"
    yield _signing_line(combined.signing, len(vault.cosigners))
    yield from finding_lines(combined.notes)


def _signing_line(signing: SigningProgress, cosigners: int) -> Line:
    names = ", ".join(signing.signed) or "nobody"
    text = f"signed by {names}: {signing.threshold} of {cosigners} needed, {signing.missing} missing"
    return Styled(text, Style.GOOD if signing.is_complete else Style.CARE)


def _finalized_json(finalized: Finalized, output: str) -> dict[str, JsonValue]:
    return {
        "txid": finalized.transaction.txid,
        "unsigned_txid": finalized.review.unsigned_txid,
        "transaction": finalized.transaction.serialize().hex(),
        "psbt": finalized.psbt.to_base64(),
        "vsize": finalized.transaction.vsize,
        "fee_sats": finalized.review.fee,
        "signing": finalized.review.signing.to_json(),
        "kernel_verified": finalized.kernel_verified,
        "findings": findings_json(finalized.review.findings),
        **_file_json(output),
    }


def _finalized_lines(finalized: Finalized, output: str) -> Sequence[Line]:
    return (
        Styled(f"txid {finalized.transaction.txid}", Style.GOOD),
        f"wrote {output}: {finalized.transaction.vsize} vB, fee {finalized.review.fee} sat",
        *finding_lines([finding for finding in finalized.review.findings if finding.severity != "note"]),
    )


def _file_json(output: str) -> dict[str, JsonValue]:
    return {} if output == STDIO else {"file": output}
