"""The tests; each says in its docstring what a user would lose if it failed."""
