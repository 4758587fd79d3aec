"""HTTP over the services: parse, policy, one service call, dump. Nothing here decides anything about identity."""
