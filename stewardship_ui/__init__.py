"""The stewards' pages: server-rendered, without a script, through the same services as the API."""
