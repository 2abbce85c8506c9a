"""Alerts on their way to people: what an installation can reach, the channels, and who sends what is due.

    settings   the mail server and the addresses of webhooks, from the environment
    mail       a message by SMTP, with TLS and a login
    webhook    a message to Slack, Teams or a program of your own
    channels   which of them a destination is
    teller     one look: what is due goes to the outbox, what lies there is sent

Must not live here: what is told and to whom (`shp_core.alerts`), and the outbox's statements (`shp_resources.ledger.outbox`).
"""
