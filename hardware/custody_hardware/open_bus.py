"""The bus that settings choose: HWI here, HWI under another Python, or another program altogether."""

from dataclasses import fields

from custody.ports import SignerBus
from custody.workspace.signer_settings import SignerSettings
from custody_hardware.external_bus import ExternalBus
from custody_hardware.hwi_bus import AskHidden, HwiBus, TimeLimits
from custody_hardware.hwi_errors import MAKERS


def open_bus(settings: SignerSettings | None, *, ask_hidden: AskHidden | None = None) -> SignerBus:
    """Return the bus. Nothing is started before it is asked something.

    `ask_hidden` reads what a device takes from the keyboard, echo off; None where there is no terminal.
    """
    chosen = settings or SignerSettings()
    limits = TimeLimits() if chosen.wait_s is None else TimeLimits(*[chosen.wait_s] * len(fields(TimeLimits)))
    if chosen.command is not None:
        return ExternalBus(chosen.command, limits=limits)
    drivers = chosen.drivers or tuple(MAKERS)
    return HwiBus(
        python=chosen.python,
        drivers=drivers,
        emulators=chosen.emulators,
        ask_hidden=ask_hidden,
        limits=limits,
    )
