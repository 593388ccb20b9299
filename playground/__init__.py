"""People try prompts: conversations, runs, streaming to the browser."""
