"""A table, and the extension that VECTOR_DB=pgvector needs."""

import sqlalchemy
from alembic import op

revision, down_revision = "0001", None


def upgrade():
    op.create_table("chat", sqlalchemy.Column("id", sqlalchemy.Integer))
    op.execute("CREATE EXTENSION vector")
