"""The bus that settings choose: HWI here, HWI under another Python, or another program altogether."""

from custody.ports import SignerBus
from custody.workspace.signer_settings import SignerSettings
from custody_hardware.external_bus import ExternalBus
from custody_hardware.hwi_bus import AskHidden, HwiBus


def open_bus(settings: SignerSettings | None, *, ask_hidden: AskHidden | None = None) -> SignerBus:
    """Return the bus. Nothing is started before it is asked something.

    `ask_hidden` reads what a device takes from the keyboard, echo off; None where there is no terminal.
    """
    if settings is not None and settings.command is not None:
        return ExternalBus(settings.command)
    return HwiBus(python=None if settings is None else settings.python, ask_hidden=ask_hidden)
