"""Live limits: how full each quota is, when it runs out, and why a call waited for it."""
