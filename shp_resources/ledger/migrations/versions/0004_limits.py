"""The limits under which a delivery was judged, so that other limits judge it again."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    words = "Limits of the intake under which the delivery was judged."
    op.add_column("partitions", sa.Column("limits_version", sa.Text(), nullable=True, comment=words), schema="shp")
