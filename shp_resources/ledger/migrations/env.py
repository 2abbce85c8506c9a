"""What Alembic runs: the migrations, on the connection that `migrate` gives, inside its transaction."""

from alembic import context

from shp_resources.ledger.columns import SCHEMA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    version_table_schema=SCHEMA,
)
with context.begin_transaction():
    context.run_migrations()
