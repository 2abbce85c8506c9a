"""Days of feeds that expect a number of files each day, so that a day is judged by what was expected then, and can be waived."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "expected_days",
        sa.Column("feed", sa.Text(), nullable=False, comment="Feed."),
        sa.Column("day", sa.Date(), nullable=False, comment="Day, in the feed's time zone."),
        sa.Column("wanted", sa.Integer(), nullable=False, comment="How many files are expected."),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False, comment="By when they are to have come."),
        sa.Column("waived", sa.Text(), nullable=True, comment="Why nobody waits for the rest; null: it is waited for."),
        sa.PrimaryKeyConstraint("feed", "day", name="expected_days_pkey"),
        schema="shp",
        comment="The days of feeds that expect a number of files each day; what came of them is counted from the arrivals.",
    )
