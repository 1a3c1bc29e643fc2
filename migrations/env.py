"""Runs migrations on the connection that the daemon hands over; there is no other way to run them."""

from alembic import context

from daemon.db.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
