"""What a connection takes of the environment: address and key, a proxy and certificates.

Where it stays on this machine, it takes no proxy and trusts nobody.

The variables are those of curl and of Python's own libraries. `HTTP_PROXY`, `HTTPS_PROXY` and `ALL_PROXY` name a proxy,
`NO_PROXY` the hosts that are reached without one; each may be written small, which counts first. `SSL_CERT_FILE` and
`SSL_CERT_DIR` say whom to trust. A variable that cannot be used is refused by its name.
"""

import os
import ssl
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, unquote, urlsplit

from pernodedrop.scrubbing import scrubbed

CONTROLLER = "PERNODEDROP_URL"  # the variable that names the controller's address
API_KEY = "PERNODEDROP_API_KEY"  # and the one with its key
DEFAULT_CONTROLLER = "http://127.0.0.1:8000"
_SOCKS = ("socks5", "socks5h")
_TRUSTED = ("SSL_CERT_FILE", "SSL_CERT_DIR")


class BadVariable(ValueError):
    """A variable of the environment cannot be used; the message is one line that names it and the remedy."""


def server_address(name: str, text: str) -> str:
    """The address of a server without its last slashes, as `name`, a variable or an argument, has it.

    Raises:
        ValueError: it is none; the message is one line.
    """
    try:
        parts = urlsplit(text)
        is_base = not (parts.query or parts.fragment or text.endswith(("?", "#")))
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and is_base
    except ValueError:
        valid = False
    if not valid:
        raise ValueError(f"{name} must be an address such as {DEFAULT_CONTROLLER}, got {scrubbed(text)!r}")
    return text.rstrip("/")


def controller_address(name: str, text: str) -> str:
    """`server_address` of a controller, whose calls begin with /v1; one behind a path of a proxy may end so.

    Raises:
        ValueError: it is none; the message is one line.
    """
    address = server_address(name, text)
    if urlsplit(address).path == "/v1":
        raise ValueError(f"{name} must be an address without /v1, which every call adds, got {scrubbed(text)!r}")
    return address


def login_of(url: str) -> tuple[str, tuple[str, str] | None]:
    """The address without the name and password before its host, and these two, which a proxy may ask for."""
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, None
    user, _, password = login.partition(":")
    return parts._replace(netloc=host).geturl(), (unquote(user), unquote(password))


def key_of(name: str, text: str | None) -> str | None:
    """The key of a controller as `name`, a variable or an argument, has it; None is none.

    Raises:
        ValueError: it is no printable text; the message never has it.
    """
    if text is not None and not text.isprintable():
        raise ValueError(f"{name} must be printable text without line breaks")
    return text


def proxy_of(url: str) -> str | None:
    """The proxy for this address of a server, or None: there is none, `NO_PROXY` says so, or it is on this machine.

    Raises:
        BadVariable: the variable names no proxy that can be used.
    """
    name = _proxy_variable(url)
    if name is None:
        return None
    text = os.environ[name].strip()
    proxy = text if "://" in text else f"http://{text}"
    remedy = "write http://host:port, unset it, or list the server's host in NO_PROXY"
    try:
        parts = urlsplit(proxy)
        usable = parts.scheme in ("http", "https", *_SOCKS) and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:  # its text may have a password
        raise BadVariable(f"{name} is no address of a proxy: {remedy}")
    if parts.scheme in _SOCKS and find_spec("socksio") is None:
        raise BadVariable(f"{name} names a SOCKS proxy, which needs the package socksio: install it, or {remedy}")
    return proxy


def certificates(url: str) -> ssl.SSLContext | bool:
    """Whom a client of this address trusts, as httpx takes it; False where it speaks no TLS.

    Raises:
        BadVariable: the named certificates cannot be read.
    """
    if not url.startswith("https:"):
        return False
    given = {name: os.environ[name] for name in variables(url) if name in _TRUSTED}
    if not given:
        return _context(cafile=_bundled())
    try:
        return _context(cafile=given.get("SSL_CERT_FILE"), capath=given.get("SSL_CERT_DIR"))
    except (OSError, ValueError) as error:
        named = ", ".join(f"{name}={value}" for name, value in given.items())
        reason = getattr(error, "strerror", None) or error
        raise BadVariable(f"{named} cannot be used ({reason}): name a file of certificates, or unset it") from error


def variables(url: str) -> list[str]:
    """The names of the variables that a connection to this address takes something of."""
    found = [] if (proxy := _proxy_variable(url)) is None else [proxy]
    if url.startswith("https:") and not _is_here(url):
        found += [name for name in _TRUSTED if os.environ.get(name)]
    return found


def _context(cafile: str | None, capath: str | None = None) -> ssl.SSLContext:
    """Python's usual context, but for SSLKEYLOGFILE: nobody needs the keys of our connections."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=cafile, capath=capath)
    return context


def _bundled() -> str:
    import certifi  # comes with httpx

    return certifi.where()


def _proxy_variable(url: str) -> str | None:
    parts = urlsplit(url)
    if _is_here(url) or _is_excepted(parts):
        return None
    names = (f"{parts.scheme}_proxy", f"{parts.scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    return next((name for name in names if os.environ.get(name, "").strip()), None)


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        address = ip_address(host)
        return address.is_loopback or address.is_unspecified  # such as 0.0.0.0, which reaches this machine
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_excepted(parts: SplitResult) -> bool:
    """Whether NO_PROXY lists the host: by its name, a name above it, its address, a network, or `*`.

    An entry that is none of these matches nothing.
    """
    host, port = parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    text = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    for entry in (entry.strip().lower() for entry in text.split(",")):
        name = entry.strip("[]").lstrip(".")
        if entry == "*" or (name and (host == name or host.endswith(f".{name}") or entry == f"{host}:{port}")):
            return True
        try:
            if ip_address(host) in ip_network(name, strict=False):
                return True
        except ValueError:
            continue
    return False
