"""`custody cosigner record`: a signer's answer in round 1 of BIP 129."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from custody import atomic
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.keys import KeyExpression, format_path
from custody.bitcoin.network import Network
from custody.errors import Finding, JsonValue
from custody.vault.bsms_token import Encryption, Token
from custody.vault.checks import inspect_path
from custody.vault.cosigner import Cosigner
from custody.workflow.answer_setup import Answer as KeyAnswer
from custody.workflow.answer_setup import setup_id_of, write_answer
from custody.workflow.setup_terms import SetupRequest
from custody.workflow.used_tokens import require_unused
from custody_cli.options import NETWORK, CustodyCommand, examples
from custody_cli.output import Answer, Line, Style, Styled, finding_lines, findings_json
from custody_cli.setup_inputs import (
    SCRIPTS,
    read_key_or_file,
    read_request_file,
    read_token,
    request_option,
    token_file_option,
    used_tokens_beside,
    used_tokens_option,
)
from custody_cli.statement_options import read_signature
from custody_cli.system import SystemClock


@dataclass(frozen=True, slots=True)
class _Round:
    """What a record is made for."""

    request: SetupRequest | None
    network: Network
    script_type: ScriptType
    token: Token


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        "custody cosigner record --request ann-request.yaml --token-file ann.token --key KEY -o ann-key.dat",
        "custody cosigner record --request ann-request.yaml --token-file ann.token --key ccxp-0F056943.json \\",
        "    --signature signature.txt -o ann-key.dat",
        "custody cosigner record --network regtest --token-file - --key KEY --signature signature.txt -o ann-key.dat",
    ),
)
@request_option
@click.option("--network", type=NETWORK, help="Without a request: the vault's network.")
@click.option("--script", type=click.Choice(list(SCRIPTS)), help="Without a request: the script.  [default: wsh]")
@token_file_option
@click.option("--key", metavar="KEY|FILE", help="Your key, [fingerprint/path]xpub, or the file of your device.")
@click.option("--description", metavar="TEXT", help="What the record calls the key, at most 80 characters.")
@click.option("--message-file", metavar="FILE", help="Only write the message, to carry it to the device.")
@click.option("--signature", metavar="FILE", help="The device's signature of the message, base64; `-` is stdin.")
@click.option("--simulator", type=int, metavar="N", help="A simulated device gives key and signature; test networks.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The new record.")
@used_tokens_option
def record(
    request_file: str | None,
    network: str | None,
    script: str | None,
    token_file: str | None,
    key: str | None,
    description: str | None,
    message_file: str | None,
    signature: str | None,
    simulator: int | None,
    output: Path,
    used_tokens: Path | None,
) -> Answer:
    """Answer a coordinator's request with your key, signed by that key on your device.

    Without --signature the message to sign is shown: sign it on the device with the key at the path that
    is named, and run the command again with the signature. The message holds the token.
    """
    if (key is None) is (simulator is None) or (simulator is not None and signature is not None):
        raise click.UsageError("name one key: --key with its --signature, or --simulator on a test network")
    this = _round_of(request_file, network, script, token_file)
    own_key = _key_of(this, key, simulator)
    answer = KeyAnswer(
        this.token,
        own_key,
        this.network,
        description if description is not None else _default_description(this.request),
        setup_id_of(this.request, own_key, this.network),
    )
    place = used_tokens_beside(used_tokens, output)
    require_unused(place, this.token, answer.setup_id)
    signed = _signature_of(this, answer, signature, simulator)
    if signed is None:
        return _to_sign(this, answer, message_file)
    write_answer(answer, signed, output, used_tokens=place)
    encrypted = this.token.encryption is not Encryption.NONE
    findings = _findings_of(this, own_key)
    json: dict[str, JsonValue] = {
        "file": str(output),
        "signed": True,
        "encrypted": encrypted,
        "key": answer.key_text,
        "used_tokens": str(place),
        "findings": findings_json(findings),
    }

    def lines() -> Iterator[Line]:
        yield from _asked_lines(this)
        yield f"wrote {output}, {'encrypted' if encrypted else 'NOT encrypted'}: send it to the coordinator"
        yield f"key {answer.key_text}"
        yield from finding_lines(findings)
        given = "the same --request, --token-file" if this.request is not None else "--name, --network, --token-file"
        yield f"NEXT   custody vault import FILE DIR   with {given} and --own-key, when the descriptor record comes"

    return Answer(json, lines)


def _round_of(request_file: str | None, network: str | None, script: str | None, token_file: str | None) -> _Round:
    if (request_file is None) is (network is None):
        raise click.UsageError("give the coordinator's --request, or --network where there is none")
    request = None if request_file is None else read_request_file(request_file)
    if request is not None and script is not None:
        raise click.UsageError("the request says the script: leave --script out")
    token = None if token_file is None else read_token(token_file)
    if token is None:
        if request is None or request.terms.encryption is not Encryption.NONE:
            raise click.UsageError("--token-file is missing: a token comes from the coordinator with every request")
        token = Token(b"\0")
    if request is None:
        return _Round(None, Network(str(network)), SCRIPTS[script or "wsh"], token)
    request.require_token(token)
    request.terms.require_open(SystemClock().now())
    return _Round(request, request.terms.network, request.terms.script_type, token)


def _key_of(this: _Round, key: str | None, simulator: int | None) -> KeyExpression:
    if key is not None:
        return read_key_or_file(key, this.script_type, this.network)
    from custody_hardware.simulator import simulated_key

    return simulated_key(int(simulator or 0), this.network, this.script_type)


def _signature_of(this: _Round, answer: KeyAnswer, signature: str | None, simulator: int | None) -> str | None:
    if simulator is None:
        return None if signature is None else read_signature(signature)
    from custody_hardware.simulator_message import simulated_message_signature

    return simulated_message_signature(simulator, this.network, this.script_type, answer.message)


def _default_description(request: SetupRequest | None) -> str:
    return "cosigner" if request is None else request.cosigner


def _findings_of(this: _Round, key: KeyExpression) -> tuple[Finding, ...]:
    holder = Cosigner(_default_description(this.request), key)
    return inspect_path(holder, this.network, this.script_type)


def _asked_lines(this: _Round) -> Iterator[Line]:
    """Say what the request asks for: its reader agrees to this by answering."""
    if this.request is None:
        return
    terms = this.request.terms
    rule = f"{terms.threshold} of {len(terms.cosigners)}, {terms.script_type}, on {terms.network}"
    yield Styled(f"request to {this.request.cosigner}: vault {terms.name}, {rule}", Style.STRONG)
    yield f"cosigners {', '.join(terms.cosigners)}; encryption {terms.encryption}; open until {terms.expires}"
    yield "If this is not what was agreed on, stop, and ask the coordinator over another channel."
    yield ""


def _to_sign(this: _Round, answer: KeyAnswer, message_file: str | None) -> Answer:
    findings = _findings_of(this, answer.key)
    path = f"m/{format_path(answer.key.origin.path)}"
    if message_file is not None:
        atomic.create_file(Path(message_file), answer.message.encode())
    json: dict[str, JsonValue] = {
        "signed": False,
        "message": answer.message,
        "path": path,
        "key": answer.key_text,
        "message_file": message_file,
        "findings": findings_json(findings),
    }

    def lines() -> Iterator[Line]:
        yield from _asked_lines(this)
        yield from finding_lines(findings)
        yield Styled(f"Sign these four lines on your device, with the key at {path}:", Style.STRONG)
        yield ""
        yield from answer.message.split("\n")
        yield ""
        yield "No line feed after the last line. They hold the token: show them to nobody."
        if message_file is not None:
            yield f"wrote {message_file}"
        yield "NEXT   the same command with --signature FILE, the file holding what the device gives, in base64"

    return Answer(json, lines)
