"""What is written of each record, and read of it by the statistics, made less: see docs/decisions/0019.

An edge keeps its weight and the vetoes against it: what each comparison said is derived again whenever someone asks. The words of golden
records wait for each other in a short list. Documents that no query searches are not analysed. Two pairs of indexes became one each.
Provenance names each record once. Where records lie that changed
lately is told by the least and the greatest moment of some pages each.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0023"
down_revision = "0022"
OPEN, CLOSED = sa.text("recorded_to is null"), sa.text("recorded_to is not null")
DOCUMENTS = {
    "source_record": ("hash", "clean", "columns", "keys"),
    "source_record_version": ("raw", "clean", "notes", "hash"),
    "golden_version": ('"values"', "provenance"),
}

# Each record once, in order, and values name it by its place; the losing ones stand last, where there are any
PACK = """
update golden_version v set provenance = n.packed from (
  select w.golden_id, w.version, jsonb_build_object('records', to_jsonb(i.ids), 'values', coalesce((
      select jsonb_object_agg(p.key, jsonb_build_array(p.value -> 'rule', array_position(i.ids, p.value ->> 'record_id') - 1)
               || coalesce((select jsonb_build_array(jsonb_agg(jsonb_build_array(array_position(i.ids, l.value ->> 'record_id') - 1,
                                                                                 l.value -> 'value') order by l.ordinality))
                              from jsonb_array_elements(p.value -> 'losing') with ordinality l having count(*) > 0), '[]'::jsonb))
        from jsonb_each(w.provenance) p), '{}'::jsonb)) as packed
    from golden_version w cross join lateral (
      select coalesce(array_agg(distinct x.id collate "C" order by x.id collate "C"), '{}') as ids from jsonb_each(w.provenance) p
       cross join lateral (select p.value ->> 'record_id' as id union all
                           select l ->> 'record_id' from jsonb_array_elements(p.value -> 'losing') l) x) i) n
 where v.golden_id = n.golden_id and v.version = n.version"""
UNPACK = """
update golden_version v set provenance = coalesce((
  select jsonb_object_agg(p.key, jsonb_build_object('rule', p.value -> 0, 'record_id', v.provenance -> 'records' -> (p.value ->> 1)::int,
           'losing', coalesce((select jsonb_agg(jsonb_build_object('record_id', v.provenance -> 'records' -> (l.value ->> 0)::int,
                                                                   'value', l.value -> 1) order by l.ordinality)
                                 from jsonb_array_elements(p.value -> 2) with ordinality l), '[]'::jsonb)))
    from jsonb_each(v.provenance -> 'values') p), '{}'::jsonb)"""


def upgrade() -> None:
    op.add_column("edge", sa.Column("vetoes", ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'")))
    op.execute(
        "update edge set vetoes = array(select jsonb_array_elements_text(evidence -> 'vetoes')) where evidence -> 'vetoes' <> '[]'::jsonb"
    )
    op.drop_column("edge", "evidence")
    op.execute(PACK)
    op.execute("alter index ix_golden_version_words set (fastupdate = on, gin_pending_list_limit = 256)")
    op.execute("alter table load_row set (fillfactor = 50)")
    _analyse("0")
    _indexes_of_links()
    _indexes_of_xref()
    pages = {"pages_per_range": "32", "autosummarize": "on"}
    op.create_index("ix_source_record_updated_at", "source_record", ["updated_at"], postgresql_using="brin", postgresql_with=pages)


def downgrade() -> None:
    empty = sa.text('\'{"items": [], "vetoes": [], "capped": false}\'')
    op.add_column("edge", sa.Column("evidence", JSONB, nullable=False, server_default=empty))
    op.execute("update edge set evidence = jsonb_set(evidence, '{vetoes}', to_jsonb(vetoes)) where vetoes <> '{}'")
    op.alter_column("edge", "evidence", server_default=None)
    op.drop_column("edge", "vetoes")
    op.execute(UNPACK)
    op.execute("select gin_clean_pending_list('ix_golden_version_words')")
    op.execute("alter index ix_golden_version_words set (fastupdate = off)")
    op.execute("alter index ix_golden_version_words reset (gin_pending_list_limit)")
    op.execute("alter table load_row set (fillfactor = 65)")
    _analyse("default")
    _former_indexes()
    op.drop_index("ix_source_record_updated_at", "source_record")


def _analyse(samples: str) -> None:
    for table, columns in DOCUMENTS.items():
        op.execute(f"alter table {table} " + ", ".join(f"alter column {column} set statistics {samples}" for column in columns))


def _indexes_of_links() -> None:
    """One index of the links of golden records: which of them are open stands in it."""
    op.drop_index("ix_link_golden_open", "link")
    op.drop_index("ix_link_golden_id", "link")
    op.create_index("ix_link_golden_id", "link", ["golden_id"], postgresql_include=["record_id", "recorded_to"])


def _indexes_of_xref() -> None:
    """One index of what golden records hold, which is unique too; what was closed has one, as what is open has."""
    op.drop_index("ix_xref_golden", "xref")
    op.drop_index("uq_xref_holder", "xref")
    op.drop_index("ix_xref_history", "xref")
    said = ["status", "own", "valid_from", "valid_to"]
    held = ["golden_id", "system_id", "value"]
    op.create_index("uq_xref_holder", "xref", held, unique=True, postgresql_include=said, postgresql_where=OPEN)
    op.create_index("ix_xref_closed", "xref", ["domain", "system_id", "value", "recorded_from"], postgresql_where=CLOSED)


def _former_indexes() -> None:
    op.drop_index("ix_link_golden_id", "link")
    op.create_index("ix_link_golden_id", "link", ["golden_id"])
    op.create_index("ix_link_golden_open", "link", ["golden_id"], postgresql_include=["record_id"], postgresql_where=OPEN)
    op.drop_index("ix_xref_closed", "xref")
    op.drop_index("uq_xref_holder", "xref")
    said = ["value", "status", "own", "valid_from", "valid_to"]
    op.create_index("ix_xref_golden", "xref", ["golden_id", "system_id"], postgresql_include=said, postgresql_where=OPEN)
    op.create_index("uq_xref_holder", "xref", ["golden_id", "system_id", "value"], unique=True, postgresql_where=OPEN)
    op.create_index("ix_xref_history", "xref", ["domain", "system_id", "value", "recorded_from"])
