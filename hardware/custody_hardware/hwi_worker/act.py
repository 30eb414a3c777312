"""A key, an address on the screen, a registration, a signature: through HWI's command layer where it can.

HWI registers a Ledger's policy again on every call and forgets the token; here it is registered once
and the token comes from the request. Nothing is registered by the way, but on a BitBox02, which signs
nothing otherwise.
"""

from .families import REGISTER, SHOW, SIGN
from .open_device import opened
from .request import Ask, Json, Request


def xpub(request: Request, ask: Ask) -> Json:
    """Return the extended public key at a path from the master key."""
    from hwilib.commands import getxpub

    with opened(request, ask) as client:
        return {"xpub": str(getxpub(client, request.text("at"))["xpub"])}


def show_address(request: Request, ask: Ask) -> Json:
    """Show one address of the vault, and return what the device says it showed."""
    from hwilib.commands import displayaddress

    with opened(request, ask) as client:
        show = SHOW.get(request.text("driver"))
        if show is not None:
            return {"address": show(client, request)}
        return {"address": str(displayaddress(client, desc=request.text("descriptor"))["address"])}


def register(request: Request, ask: Ask) -> Json:
    """Register the vault on the device; `policy_id` and `token` in hex where it gives any."""
    with opened(request, ask) as client:
        return REGISTER[request.text("driver")](client, request)


def sign(request: Request, ask: Ask) -> Json:
    """Return the PSBT as the device gives it back; HWI's own word on whether it signed is left out."""
    from hwilib.commands import signtx

    with opened(request, ask) as client:
        own = SIGN.get(request.text("driver"))
        if own is not None:
            return {"psbt": own(client, request)}
        return {"psbt": str(signtx(client, request.text("psbt"))["psbt"])}
