"""The schema's history. A migration imports nothing of ours, so that it means the same for ever."""
