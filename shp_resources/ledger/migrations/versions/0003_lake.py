"""The lake as a sink: two runs for a partition, each with attempts of its own, and what holds the second one back."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    words = "Which of a partition's two runs: etl (to the warehouse) or elt (to the lake)."
    op.add_column("attempts", sa.Column("way", sa.Text(), nullable=False, server_default="etl", comment=words), schema="shp")
    op.drop_constraint("attempts_run_id_feed_partition_key", "attempts", schema="shp")
    op.create_unique_constraint("attempts_run_id_feed_partition_way_key", "attempts", ["run_id", "feed", "partition", "way"], schema="shp")
    words = "The sink that the partition is parked for while the warehouse holds it; null: none."
    op.add_column("partitions", sa.Column("behind", sa.Text(), nullable=True, comment=words), schema="shp")
    words = "When both sinks were last read and agreed; null: not since one of them changed."
    op.add_column("sinks", sa.Column("agreed_at", sa.DateTime(timezone=True), nullable=True, comment=words), schema="shp")
    for name, words in (("cause", "What holds its run back."), ("code", "Why, a stable code."), ("message", "Why, for people.")):
        op.add_column("sinks", sa.Column(name, sa.Text(), nullable=True, comment=words), schema="shp")
    words = "When its next run is due."
    op.add_column("sinks", sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True, comment=words), schema="shp")
