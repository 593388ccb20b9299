"""Who runs when: places at providers, and the line for them."""

from gateway.dispatch.dispatcher import Dispatcher, LaneView, Place
from gateway.dispatch.lane import Waiting, put_back_s
from gateway.dispatch.sharing import Queues, Sharing
from gateway.dispatch.underway import Underway

__all__ = [
    "Dispatcher",
    "LaneView",
    "Place",
    "Queues",
    "Sharing",
    "Underway",
    "Waiting",
    "put_back_s",
]
