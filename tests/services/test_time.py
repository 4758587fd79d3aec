"""Days begin and end by UTC in a hospital's own PostgreSQL, too."""

from contextlib import closing

from mdm.db import Database, fetch


def test_the_zone_of_the_database_does_not_matter(new_database):
    made = new_database()
    with made.engine.connect() as connection:
        name = connection.exec_driver_sql("select current_database()").scalar_one()
        connection.exec_driver_sql(f"alter database \"{name}\" set timezone to 'America/Chicago'")
        connection.commit()
    with closing(Database(made.url)) as database:
        assert database.run(lambda session: fetch(session, "show timezone")) == [("UTC",)]
