"""The domain core of Concord. Services are functions: a session in, a frozen result out; they never commit."""
