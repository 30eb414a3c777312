"""Every family of hardware wallets through HWI's own drivers: look, key, register, show, sign, finish.

The other end of each driver is a double with that family's refusal rules; everything between the bus and
that end is the product and HWI 3.2.0 itself.
"""

from pathlib import Path

import pytest

from custody.bitcoin.address import script_of
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.network import Network
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.psbt_roles import extract, finalize, take_signatures
from custody.bitcoin.second_opinion import transaction_id
from custody.codes import Code
from custody.errors import CustodyError
from custody.ports import FoundDevice, Registration, SignerBus
from custody.spend.review_inputs import spend_scripts
from custody.spend.review_places import VaultScripts
from custody.vault.vault import Vault
from custody_hardware.bus_device import BusDevice, choose, require_key
from custody_hardware.simulator import SimulatedDevice
from support.hwi_bench import Bench
from support.review_cases import payment, simulated_vault
