"""The demo world: a hospital group, the hospital it acquired, and what their systems say about the same things, with known truth."""
