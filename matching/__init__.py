"""The matching engine: a pure library. It knows no database, no web and nothing else of ours."""
