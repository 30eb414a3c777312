"""What a device wants of a card and does with it, said from its profile."""

from collections.abc import Mapping

from custody.spend.card import ANY_DEVICE, CardDevice
from custody.vault.device_profile import CardFiles, DeviceProfile, PsbtEncoding, Transport

UNKNOWN = "other"
_SIGN = "Put the card into the device, choose to sign a file, and take {file}."


def card_device(profiles: Mapping[str, DeviceProfile], described: str | None) -> CardDevice:
    """Return how a device deals with cards; of one that nobody described, or that is unknown here, nothing is said.

    `described` is the id of a profile, as the journal has it.
    """
    profile = None if described is None else profiles.get(described)
    return ANY_DEVICE if profile is None or profile.model == UNKNOWN else _from_profile(profile)


def _from_profile(profile: DeviceProfile) -> CardDevice:
    card, screen = profile.card, profile.screen
    return CardDevice(
        model=profile.name,
        reads_cards=card is not None,
        takes_base64=card is not None and card.encoding is PsbtEncoding.BASE64,
        steps=(_SIGN,) if card is not None else _other_ways(profile),
        answer=ANY_DEVICE.answer if card is None else _answer(card),
        screen=() if screen is None else screen.lines,
        change=None if screen is None else screen.change,
    )


def _other_ways(profile: DeviceProfile) -> tuple[str, ...]:
    """Return the steps for a device that signs no file from a card."""
    steps = ["This device signs no file from a card."]
    if profile.qr is not None:
        dialect = profile.qr.dialects[0]
        steps.append(
            f"Show it {{file}} as QR codes:  custody qr show {{file}} --dialect {dialect}  and read its answer."
        )
    if Transport.USB in profile.transports:
        steps.append(
            "Connect it by cable: in a workspace of the vault with  custody proposal sign --device {cosigner}  and "
            "elsewhere open {file} with the program that drives it."
        )
    return tuple(steps)


def _answer(card: CardFiles) -> str:
    names = " or ".join(name.replace("{base}", "{stem}").replace("*", "…") for name in card.writes)
    words = f"a file named {names}" if names else ANY_DEVICE.answer
    return f"{words}; it blanks the file that went in" if card.overwrites_input else words
