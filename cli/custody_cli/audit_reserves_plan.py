"""`custody audit reserves plan`: which proofs this vault's devices sign, and the commands to run."""

from collections.abc import Iterator

import click

from custody.audit.reserves.challenge import MAX_BYTES, Challenge, parse_challenge
from custody.audit.reserves.prove import Route
from custody.audit.signers import Signers
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import InvalidInput
from custody.vault.device_profile import MessageProof
from custody.workflow.office import open_office
from custody.workflow.plan_reserves import Opening, ReservesPlan, RoutePlan, plan_reserves
from custody_cli.audit_sources import VaultChoice, vault_options
from custody_cli.device_memory import profiles_of_workspace
from custody_cli.loading import workspace_of
from custody_cli.options import CustodyCommand, examples, read_input
from custody_cli.output import Answer, AnswerValue, Line, Style, Styled
from custody_cli.session import Session
from custody_hardware.device_profiles import load_profiles

_WORDS = {
    MessageProof.SHOWS: "signs it, and shows the message",
    MessageProof.BLIND: "signs it as a transaction: the message isn't on its screen",
    MessageProof.REFUSES: "refuses",
    None: "not known",
}
_ROUTES = {
    Route.BIP322: "a signed message for each funded address",
    Route.POF: "one signed message over all coins",
    Route.BIP127: "one unspendable transaction over all coins",
    Route.PAYMENT: "a small real payment to ourselves, with a fee",
}


@click.command(cls=CustodyCommand, epilog=examples("custody audit reserves plan --challenge challenge.json"))
@click.option("--challenge", "challenge_file", required=True, metavar="FILE", help="As the auditor sent it.")
@vault_options
@click.pass_obj
def plan(
    session: Session, challenge_file: str, vault_file: str | None, descriptor: str | None, network: str | None
) -> Answer:
    """Say how this vault can prove its reserve: by which route, on whose devices, with which commands.

    It rests on `cosigner describe` and on what was read about each model: try it with one small coin before the day.
    """
    challenge = parse_challenge(read_input(challenge_file, max_bytes=MAX_BYTES))
    if vault_file is None and descriptor is None and network is None:
        workspace = workspace_of(session)
        office = open_office(workspace)
        vault, signers, profiles = office.vault, office.state.signers, profiles_of_workspace(workspace)
    else:
        vault, signers, profiles = (
            VaultChoice(vault_file, descriptor, network).load(session),
            Signers(),
            load_profiles(),
        )
    _require_network(challenge, vault.network)
    planned = plan_reserves(vault, signers, profiles)
    return Answer(_json(planned, challenge, challenge_file), lambda: _lines(planned, challenge, challenge_file))


def _require_network(challenge: Challenge, network: Network) -> None:
    if challenge.network is not network:
        raise InvalidInput(
            Code.NETWORK_MISMATCH,
            f"the challenge is for network `{challenge.network}`, the vault is on `{network}`",
            advice="Ask the auditor for a challenge on the vault's network.",
        )


def commands_of(route: Route, challenge_file: str) -> tuple[str, ...]:
    """Return the commands of a route, in order."""
    prove = f"custody audit reserves prove --challenge {challenge_file}"
    if route is Route.PAYMENT:
        return (
            f"{prove} --route payment",
            "custody coins sync",
            f"{prove} --route payment --txid TXID --disclose descriptor -o statement.json",
        )
    return (f"{prove} --route {route} -o FOLDER", f"{prove} --signed FOLDER -o statement.json")


def _json(planned: ReservesPlan, challenge: Challenge, challenge_file: str) -> dict[str, AnswerValue]:
    return {
        "challenge_digest": challenge.digest,
        "height": challenge.height,
        "expires_height": challenge.expires_height,
        "threshold": planned.threshold,
        "recommended": str(planned.recommended),
        "signers": [
            {
                "cosigner": one.cosigner,
                "device": one.device,
                "firmware": one.firmware,
                "bip322": None if one.bip322 is None else str(one.bip322),
                "bip127": None if one.bip127 is None else str(one.bip127),
                "source": one.source,
            }
            for one in planned.signers
        ],
        "routes": [
            {
                "route": str(one.route),
                "open": str(one.opening),
                "can": list(one.can),
                "without_message": list(one.blind),
                "cannot": list(one.cannot),
                "unknown": list(one.unknown),
                "commands": list(commands_of(one.route, challenge_file)),
            }
            for one in planned.routes
        ],
    }


def _lines(planned: ReservesPlan, challenge: Challenge, challenge_file: str) -> Iterator[Line]:
    yield f"challenge {challenge.digest[:16]} for {challenge.holder}, block {challenge.height}: {challenge.purpose}"
    yield f"a proof is taken up to block {challenge.expires_height}"
    yield f"{planned.threshold} of {len(planned.signers)} sign; what their devices do with a BIP 322 message:"
    for one in planned.signers:
        device = one.device or "no device described"
        firmware = f", firmware {one.firmware}" if one.firmware else ""
        yield f"  {one.cosigner}: {device}{firmware}: {_WORDS[one.bip322]}"
    if any(one.device is None for one in planned.signers):
        yield "say which device each has, then plan again:"
        yield "  custody cosigner describe NAME --device MODEL --firmware VERSION"
    for route in planned.routes:
        yield from _route_lines(route)
    yield Styled(f"recommended: {planned.recommended}", Style.STRONG)
    yield from (f"  {command}" for command in commands_of(planned.recommended, challenge_file))
    if planned.recommended is Route.PAYMENT:
        yield "it proves the keys that sign it, not every coin, and it shows the vault's descriptor to the auditor"
        yield "a route that is not known can be tried: a device that refuses loses nothing"


def _route_lines(one: RoutePlan) -> Iterator[Line]:
    styles = {Opening.YES: Style.GOOD, Opening.NO: Style.BAD, Opening.UNKNOWN: Style.CARE}
    words = {Opening.YES: "open", Opening.NO: "closed", Opening.UNKNOWN: "not known"}
    yield Styled(f"{one.route:<8} {words[one.opening]:<10} {_ROUTES[one.route]}", styles[one.opening])
    if one.blind:
        yield f"         {', '.join(one.blind)}: compare the message with `psbt review`, not with the screen"
    if one.cannot:
        yield f"         {', '.join(one.cannot)} can't"
