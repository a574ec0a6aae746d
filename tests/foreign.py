"""The environment of other programs: variables with values that are of no use to this one, and files in its way."""

from pathlib import Path

PROXIES = {
    "ALL_PROXY": "socks5://127.0.0.1:9",
    "all_proxy": "socks4://127.0.0.1:9",
    "HTTP_PROXY": "://bad",
    "http_proxy": "http://[::1",
    "HTTPS_PROXY": "http://user:secret@host:0",
    "https_proxy": "http://host:port",
    "NO_PROXY": "::1,[fe80::1],2001:db8::/32,*.example",
    "no_proxy": "http://[::1,2001:db8::",
}
CERTIFICATES = dict.fromkeys(
    ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSLKEYLOGFILE"), "/nonexistent/file"
)
# Each of them alone keeps libpq from a server that is as ours is: without TLS, with a password, no replica.
IN_THE_WAY = {
    "PGSSLMODE": "require",
    "PGHOSTADDR": "127.0.0.77",
    "PGSERVICE": "elsewhere",
    "PGGSSENCMODE": "require",
    "PGCHANNELBINDING": "require",
    "PGTARGETSESSIONATTRS": "standby",
    "PGREQUIREAUTH": "gss",
    "PGOPTIONS": "-c nonsense=1",
    "PGSSLMINPROTOCOLVERSION": "TLSv9",
    "PGSSLNEGOTIATION": "direct",
    "PGLOADBALANCEHOSTS": "nonsense",
}
HARMLESS = {
    "PGHOST": "host.invalid",
    "PGPORT": "port",
    "PGUSER": "nobody",
    "PGPASSWORD": "wrong",
    "PGDATABASE": "nothing",
    "PGSERVICEFILE": "/nonexistent/services",
    "PGSYSCONFDIR": "/nonexistent",
    "PGPASSFILE": "/nonexistent/passwords",
    "PGCLIENTENCODING": "LATIN1",
    "PGTZ": "Asia/Tokyo",
    "PGDATESTYLE": "German",
    "PGCONNECT_TIMEOUT": "never",
    "PGAPPNAME": "another",
    "PGSSLROOTCERT": "/nonexistent/root.crt",
}
LIBPQ = IN_THE_WAY | HARMLESS
OTHERS = {
    "LANG": "xx_YY.ISO-8859-1",
    "LC_ALL": "xx_YY.ISO-8859-1",
    "TZ": "Nowhere/Else",
    "TMPDIR": "/nonexistent",
    "PYTHONSTARTUP": "/nonexistent.py",
    "PYTHONOPTIMIZE": "2",
    "PYTHONWARNINGS": "error",
    "PYTHONHASHSEED": "7",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OMP_NUM_THREADS": "abc",
    "MKL_NUM_THREADS": "abc",
    "OPENBLAS_NUM_THREADS": "abc",
    "NUMBA_NUM_THREADS": "abc",
    "CUDA_VISIBLE_DEVICES": "nonsense",
    "WEB_CONCURRENCY": "abc",
    "FORWARDED_ALLOW_IPS": "*",
    "MPLBACKEND": "nonsense",
    "GIT_DIR": "/nonexistent",
    "COLUMNS": "abc",
    "TERM": "nonsense",
}
EVERYTHING = PROXIES | CERTIFICATES | LIBPQ | OTHERS

HIDING = ("workers", "service", "search_spaces", "queue", "logging", "random", "statistics", "yaml", "optuna")


def folder_in_the_way(folder: Path, *more: str) -> Path:
    """A folder whose modules have names that the program needs; each ends a program that imports it."""
    folder.mkdir()
    for name in (*HIDING, *more):
        (folder / f"{name}.py").write_text(f"raise SystemExit('{name}.py of the folder was imported')\n")
    for name in ("pernodedrop", "alembic"):  # without __init__.py: a namespace, which hides an editable installation
        (folder / name).mkdir()
    return folder
