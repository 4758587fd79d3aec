"""Electronic payer id: no national standard; upper case, zeros kept. It means something only together with its clearinghouse."""

from mdm.values.kind import ValueType
from mdm.values.placeholders import placeholders
from mdm.values.shape import matching

PAYER_ID = ValueType(
    name="payer_id",
    label="Payer id",
    example="60054",
    normalise=matching(r"[0-9A-Z][0-9A-Z/]{1,19}"),
    placeholders=placeholders("payer_id"),
    max_length=40,
)
