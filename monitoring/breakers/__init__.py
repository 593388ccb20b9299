"""Breakers: who is down, since when and why, when it is tried again; and the way to force one."""
