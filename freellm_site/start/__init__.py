"""`make run`: from nothing to one machine's FreeLLM, under one supervisor."""
