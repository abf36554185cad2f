from alembic import context
from open_webui.env import DATABASE_URL
from sqlalchemy import create_engine

with create_engine(DATABASE_URL).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
