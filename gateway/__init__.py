"""How a call gets through: the calling engine.

Pure async Python. It knows no model class, no view and no settings: what it needs (a Redis
client, a policy, an event sink) is handed to it, and it never reaches up.
"""
