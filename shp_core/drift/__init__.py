"""When a sheet changes its shape: what changed, told apart, and the smallest change of the feed file that takes it up.

    tops of sheets ──▶ diagnose ──▶ drift: findings, each with a proposal ──▶ patch ──▶ the feed file's new text

Must not live here: reading workbooks, feed files on disk, and whether a person agrees.
"""
