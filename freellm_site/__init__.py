"""The Django project: settings, addresses, processes. Wires the rooms together."""
