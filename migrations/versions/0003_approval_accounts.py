"""An approval names the accounts the call acts as, and is bound to them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the accounts; what was asked before has none, and the daemon takes it back when it starts."""
    op.add_column("approvals", sa.Column("accounts", sa.Text))
