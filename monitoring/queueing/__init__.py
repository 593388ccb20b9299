"""The queues of all processes, seen and steered."""
