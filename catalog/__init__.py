"""What there is: providers, models, offers, keys; and the one door to the engine."""
