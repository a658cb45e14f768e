"""The table of all directives of both editions. Pure."""

from chalicelib.configuration.shiny_server_conf.directives import (
    hosting,
    operation,
    serving,
    sign_in,
)
from chalicelib.configuration.shiny_server_conf.directives.schema import Directive

GROUPS = {
    "Servers and locations": hosting.ROWS,
    "Apps, sessions and pages": serving.ROWS,
    "Who may use an app": sign_in.ROWS,
    "Logs and operation": operation.ROWS,
}
"""The rows by subject, in the order of the reference."""

DIRECTIVES: dict[str, Directive] = {row.name: row for rows in GROUPS.values() for row in rows}


def exclude_each_other(one: str, other: str) -> bool:
    """Return whether two directives may not stand in the same scope."""
    return other in DIRECTIVES[one].excludes or one in DIRECTIVES[other].excludes


NGINX = frozenset(
    {
        "add_header",
        "alias",
        "allow",
        "auth_basic",
        "auth_basic_user_file",
        "autoindex",
        "client_max_body_size",
        "default_type",
        "deny",
        "error_log",
        "error_page",
        "events",
        "gzip",
        "http",
        "if",
        "include",
        "index",
        "keepalive_timeout",
        "map",
        "proxy_buffering",
        "proxy_buffers",
        "proxy_connect_timeout",
        "proxy_hide_header",
        "proxy_http_version",
        "proxy_pass",
        "proxy_read_timeout",
        "proxy_redirect",
        "proxy_send_timeout",
        "proxy_set_header",
        "return",
        "rewrite",
        "root",
        "sendfile",
        "set",
        "ssl_certificate",
        "ssl_certificate_key",
        "ssl_ciphers",
        "ssl_protocols",
        "ssl_session_cache",
        "try_files",
        "types",
        "upstream",
        "user",
        "worker_processes",
    }
)
"""Words of nginx's configuration that people write into this file."""

NEVER_EXISTED = {
    "server_log": "the path of the server's own log cannot be set; access_log logs requests",
    "dir": "site_dir or app_dir says which folder a location serves",
    "monitor": "admin opens the dashboard",
}
"""Words that are seen in files although no version of Shiny Server knows them."""
