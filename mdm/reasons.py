"""How long what people say of an act may be, wherever they say it: reasons, notes, comments, questions."""

REASON_MAX = 2_000
