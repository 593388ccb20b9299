"""Who runs when: places at providers, and the line for them."""

from gateway.dispatch.dispatcher import Dispatcher, LaneView, Place
from gateway.dispatch.lane import Waiting, put_back_s

__all__ = ["Dispatcher", "LaneView", "Place", "Waiting", "put_back_s"]
