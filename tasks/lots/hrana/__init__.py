"""libSQL over HTTP: the Hrana 3 protocol as a DB-API driver and an SQLAlchemy dialect, `sqlite+hrana://host`.

    values    what SQLite can hold, as JSON
    stream    one conversation with the server: pipelines of requests, strung on a baton
    dbapi     PEP 249 over a stream: a transaction is a stream, opened by its first statement
    dialect   SQLAlchemy's SQLite, over that

An own driver because the published ones raise bare ValueErrors, hold Python's lock while they wait for the network,
or commit locally and tell the server later.
"""
