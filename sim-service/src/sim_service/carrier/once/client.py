"""1NCE as a Carrier: every group of calls over one transport."""

from sim_service.carrier.once.account import Account
from sim_service.carrier.once.money import Money
from sim_service.carrier.once.network import Network
from sim_service.carrier.once.sims import Sims
from sim_service.carrier.once.sms import Messages


class OnceCarrier(Sims, Network, Messages, Money, Account):
    """See sim_service.carrier.base.Carrier."""

    name = "1nce"
    usage_days_kept = 180
    """1NCE keeps 6 months; a little less avoids arguing about the length of months."""
