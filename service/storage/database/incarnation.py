"""Which incarnation of the database answers: another one may have forgotten what this program was told.

A dump that is restored makes new tables, TRUNCATE makes new files; point-in-time recovery, a promoted replica and a
copy of the server's files need a server that starts. A restart alone changes the incarnation too, which costs a reader
of it no more than reading again.
"""

INCARNATION = """(SELECT concat_ws('/', pg_postmaster_start_time(),
    (SELECT oid FROM pg_database WHERE datname = current_database()),
    'fleet.runs'::regclass::oid, pg_relation_filenode('fleet.runs')))"""
