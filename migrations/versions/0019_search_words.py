"""What people search golden records by, as words in an index: reading all of them took seconds from some hundred thousand on.

What stands already gets the words of all its values here, under the same names; what is not searchable is asked for by nobody, and goes
with the next version of its golden record.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0019"
down_revision = "0018"

# Accents of Western and Central Europe; the rest is folded with the next version
_FROM = "àáâãäåçèéêëìíîïñòóôõöøùúûüýÿāăąćĉčďđēĕėęěĝğġģĥħĩīĭįķĺļľłńņňōŏőŕŗřśŝşšţťŧũūŭůűųŵŷźżž"
_TO = "aaaaaaceeeeiiiinoooooouuuuyyaaacccddeeeeegggghhiiiikllllnnnooorrrsssstttuuuuuuwyzzz"


def upgrade() -> None:
    op.add_column("golden_version", sa.Column("words", TSVECTOR, nullable=False, server_default=sa.text("''")))
    op.execute(
        "update golden_version v set words = x.words from (select v.golden_id, v.version, array_to_tsvector(array_agg(distinct"
        " g.domain || '.' || e.key || '=' || f.form)) as words from golden_version v join golden_record g on g.id = v.golden_id"
        " cross join lateral jsonb_each(v.values) e cross join lateral jsonb_path_query(e.value, 'lax $[*]') s"
        f" cross join lateral regexp_split_to_table(translate(lower(s #>> '{{}}'), '{_FROM}', '{_TO}'), '[^[:alnum:]]+') w(word)"
        " cross join lateral (values (left(w.word, 40)), (ltrim(left(w.word, 40), '0'))) f(form)"
        " where v.recorded_to is null and f.form <> '' and jsonb_typeof(s) = 'string' group by v.golden_id, v.version) x"
        " where v.golden_id = x.golden_id and v.version = x.version"
    )
    op.create_index(
        "ix_golden_version_words",
        "golden_version",
        ["words"],
        postgresql_using="gin",
        postgresql_where=sa.text("recorded_to is null"),
        postgresql_with={"fastupdate": "off"},
    )


def downgrade() -> None:
    op.drop_index("ix_golden_version_words", "golden_version")
    op.drop_column("golden_version", "words")
