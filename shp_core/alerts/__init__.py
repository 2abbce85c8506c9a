"""Alerts: who is told what about an incident, and when, as pure functions of incidents, what was told before and the time.

    concern   an incident, as far as people are told of it
    plan      what is due to be told to one destination: once when it opens, reminders, once when it is over; storms folded
    outage    when people are told that the platform itself is not ready
    routing   to whom: owners of the feeds concerned, routes by severity
    words     the messages: what, since when, which partitions, what the platform does, what the reader can do

Must not live here: sending, the outbox, reading incidents. No message holds values of rows, secrets or tracebacks.
"""
