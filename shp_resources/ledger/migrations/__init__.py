"""Alembic's environment for schema `shp`."""
