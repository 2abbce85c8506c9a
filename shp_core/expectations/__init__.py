"""What a feed expects and when: periods, calendars, due times, usual arrivals; pure functions of a feed and an instant.

Must not live here: what has come (the ledger), and what is done about what has not (the sensor `lateness`).
"""
