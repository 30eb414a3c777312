"""What the devices that hold a vault's keys mean for it: who can't sign, whose seed is in doubt, what lies in one hand.

Pure: descriptions are the custodians' words, profiles are facts that somebody read; neither is verified here. An
unknown version, limit or vendor never refuses and never reassures: it is said to be unknown where that matters.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from custody.codes import Code
from custody.errors import Finding, InvalidInput, Severity, refusals
from custody.vault.device_profile import Advisory, AdvisorySubject, ChangeCheck, DeviceProfile, Limits
from custody.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class DescribedSigner:
    """The device of one cosigner: its model's profile, and what its custodian says."""

    profile: DeviceProfile
    firmware: str | None = None
    """Version that runs on it."""
    seed_firmware: str | None = None
    """Version that made the seed."""
    custodian: str | None = None
    place: str | None = None


Signers = Mapping[str, DescribedSigner]
"""By cosigner's name; cosigners that nobody described are missing."""

_BLIND = (ChangeCheck.SCAN, ChangeCheck.PATH, ChangeCheck.NEVER)
"""Ways to treat change in which a host's word may be all that the holder sees."""


def device_findings(vault: Vault, signers: Signers) -> tuple[Finding, ...]:
    """Return everything that the described devices give reason to say, in the order of the vault's cosigners."""
    described = {one.name: signers[one.name] for one in vault.cosigners if one.name in signers}
    return (
        *(finding for name, signer in described.items() for finding in quorum_findings(vault, name, signer)),
        *(finding for name, signer in described.items() for finding in _advisory_findings(name, signer)),
        *_hand_findings(vault, described),
        *_change_findings(vault, described),
    )


def quorum_findings(vault: Vault, cosigner: str, signer: DescribedSigner) -> tuple[Finding, ...]:
    """Return why a cosigner's device can't sign for this vault, or may not; nothing else is looked at.

    It refuses only where no firmware that may be on it could sign.
    """
    profile, where = signer.profile, f"cosigner:{cosigner}"
    if profile.refused is not None:
        message = f"the device of `{cosigner}` is a {profile.name}: {profile.refused}"
        return (Finding(Code.DEVICE_CANNOT_SIGN, Severity.REFUSE, where, message, _ANOTHER_DEVICE),)
    possible = profile.limits_of(signer.firmware)
    obstacles = [(one, words) for one in possible if (words := _obstacles(vault, one))]
    if not obstacles:
        return _rehearsal_note(vault, cosigner, profile, possible)
    said = f"firmware {signer.firmware}" if signer.firmware is not None else "unknown firmware"
    device = f"the device of `{cosigner}`, a {profile.name} with {said},"
    if len(obstacles) == len(possible):
        message = f"{device} can't sign for this vault: {'; '.join(obstacles[-1][1])}"
        return (Finding(Code.DEVICE_CANNOT_SIGN, Severity.REFUSE, where, message, _ANOTHER_DEVICE),)
    known = "; ".join(f"{one.firmware}: {', '.join(why)}" for one, why in obstacles)
    message = f"{device} may not be able to sign for this vault: {known}"
    return (
        Finding(
            Code.DEVICE_MAY_NOT_SIGN,
            Severity.WARN,
            where,
            message,
            "Describe the firmware with `custody cosigner describe NAME --firmware VERSION`.",
        ),
    )


def require_none_refuses(findings: tuple[Finding, ...]) -> None:
    """Refuse what some of the findings refuse.

    Raises:
        InvalidInput: DEVICE_CANNOT_SIGN; `details` lists every such finding.
    """
    refused = refusals(findings)
    if refused:
        raise InvalidInput(
            refused[0].code,
            refused[0].message,
            advice=refused[0].advice,
            details={"findings": [finding.to_json() for finding in refused]},
        )


def _obstacles(vault: Vault, limits: Limits) -> tuple[str, ...]:
    count, script = len(vault.cosigners), vault.descriptor.script_type
    words: list[str] = []
    if limits.cosigners is not None and count > limits.cosigners:
        words.append(f"it knows at most {limits.cosigners} keys, the vault has {count}")
    if limits.scripts is not None and script not in limits.scripts:
        words.append(f"it does not sign {script}")
    if limits.networks is not None and vault.network not in limits.networks:
        words.append(f"it can't be used on {vault.network}")
    return tuple(words)


def _rehearsal_note(
    vault: Vault, cosigner: str, profile: DeviceProfile, possible: tuple[Limits, ...]
) -> tuple[Finding, ...]:
    known = [one.networks for one in possible]
    if not vault.network.is_main or not known or any(one is None or len(one) > 1 for one in known):
        return ()
    message = (
        f"the device of `{cosigner}`, a {profile.name}, knows no test network: nothing can be rehearsed with it there"
    )
    advice = "Check it on main before any money comes: `custody device check` signs what can't be spent."
    return (Finding(Code.DEVICE_NO_REHEARSAL, Severity.NOTE, f"cosigner:{cosigner}", message, advice),)


def _advisory_findings(cosigner: str, signer: DescribedSigner) -> Iterator[Finding]:
    for advisory in signer.profile.advisories:
        is_seed = advisory.subject is AdvisorySubject.SEED
        version = signer.seed_firmware if is_seed else signer.firmware
        affected = advisory.affects(version)
        if affected:
            yield _affected(cosigner, signer, advisory, str(version))
        elif affected is None:
            yield _in_doubt(cosigner, signer, advisory)


def _affected(cosigner: str, signer: DescribedSigner, advisory: Advisory, version: str) -> Finding:
    is_seed = advisory.subject is AdvisorySubject.SEED
    code = Code.SEED_FIRMWARE_ADVISORY if is_seed else Code.FIRMWARE_ADVISORY
    did = "made the seed of" if is_seed else "runs on the device of"
    message = f"firmware {version} {did} `{cosigner}` ({signer.profile.name}): {advisory.text}"
    return Finding(code, advisory.severity, f"cosigner:{cosigner}", message, f"{advisory.advice} ({advisory.source})")


def _in_doubt(cosigner: str, signer: DescribedSigner, advisory: Advisory) -> Finding:
    where, holder = f"cosigner:{cosigner}", f"`{cosigner}` ({signer.profile.name})"
    ranges = ", or ".join(str(one) for one in advisory.affected)
    if advisory.subject is AdvisorySubject.SEED:
        message = f"which firmware made the seed of {holder} is not known; for {ranges}: {advisory.text}"
        advice = f"Ask the custodian and say --seed-firmware; if nobody knows, treat it as affected: {advisory.advice}"
        return Finding(Code.SEED_FIRMWARE_UNKNOWN, Severity.WARN, where, message, advice)
    message = f"which firmware runs on the device of {holder} is not known; for {ranges}: {advisory.text}"
    advice = "Read the version on the device and describe it with --firmware."
    return Finding(Code.FIRMWARE_UNKNOWN, Severity.NOTE, where, message, advice)


def _hand_findings(vault: Vault, described: Signers) -> Iterator[Finding]:
    """Name every vendor, custodian and place that a quorum or a veto rests on, where it has two keys or more."""
    for what, of, sentence, advice in _HANDS:
        for hand, names in _groups(described, of).items():
            message = f"{sentence.format(hand=hand)} {', '.join(names)}: {len(names)} of {len(vault.cosigners)} keys"
            if len(names) >= vault.threshold:
                yield Finding(Code.QUORUM_IN_ONE_HAND, Severity.WARN, "vault", f"{message}, enough to spend", advice)
            elif len(names) > len(vault.cosigners) - vault.threshold:
                yield Finding(
                    Code.VETO_IN_ONE_HAND,
                    Severity.WARN,
                    "vault",
                    f"{message}, nothing can be spent without them",
                    advice,
                )
            elif what == "custodian":
                yield Finding(Code.CUSTODIAN_TWICE, Severity.WARN, "vault", message, advice)


def _groups(described: Signers, of: Callable[[DescribedSigner], str | None]) -> dict[str, list[str]]:
    """Return the cosigners of every hand with two or more, under its name as first written."""
    written: dict[str, str] = {}
    groups: dict[str, list[str]] = {}
    for name, signer in described.items():
        hand = of(signer)
        if hand is not None:
            alike = " ".join(hand.split()).casefold()
            groups.setdefault(written.setdefault(alike, hand), []).append(name)
    return {hand: names for hand, names in groups.items() if len(names) > 1}


def _change_findings(vault: Vault, described: Signers) -> Iterator[Finding]:
    blind = [
        name
        for name, signer in described.items()
        if signer.profile.screen is not None and signer.profile.screen.change_check in _BLIND
    ]
    if len(blind) >= vault.threshold:
        yield Finding(
            Code.CHANGE_UNVERIFIED_BY_DEVICES,
            Severity.WARN,
            "vault",
            f"{', '.join(blind)} can sign together, and none of their devices verifies change by itself",
            "Have one device sign each payment that derives change from the registered vault, and scan the descriptor "
            "where a device can.",
        )


_ANOTHER_DEVICE = "Take another device for this key, firmware that can, or another quorum."
_HANDS: tuple[tuple[str, Callable[[DescribedSigner], str | None], str, str], ...] = (
    (
        "vendor",
        lambda signer: signer.profile.vendor,
        "{hand} made the devices of",
        "Spread the keys over devices of several makers: one fault or one malicious firmware would reach all of these.",
    ),
    (
        "custodian",
        lambda signer: signer.custodian,
        "`{hand}` is the custodian of",
        "Give each key to a person of its own; who holds several counts once.",
    ),
    (
        "place",
        lambda signer: signer.place,
        "at `{hand}` lie the devices of",
        "Spread the keys over several places: one fire, one search or one lock would reach all of these.",
    ),
)
