"""1NCE as a Carrier: all groups of endpoints over one transport."""

from sim_service.carrier.once.account import AccountEndpoints
from sim_service.carrier.once.network import NetworkEndpoints
from sim_service.carrier.once.orders import OrderEndpoints
from sim_service.carrier.once.sims import SimEndpoints
from sim_service.carrier.once.sms import SmsEndpoints


class OnceCarrier(SimEndpoints, NetworkEndpoints, SmsEndpoints, OrderEndpoints, AccountEndpoints):
    name = "1nce"
    usage_days_kept = 180
    """1NCE keeps 6 months; a little less avoids arguing about the length of months."""
