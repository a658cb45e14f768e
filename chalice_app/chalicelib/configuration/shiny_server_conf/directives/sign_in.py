"""Directives about who may use an app. Pure.

They are checked and kept. As Sheen does not sign visitors in by them, a location that needs a
login is closed: see :mod:`chalicelib.configuration.shiny_server_conf.access`.
"""

from chalicelib.configuration.shiny_server_conf.directives.schema import (
    ANYWHERE,
    DIRECTORY,
    TOP,
    Directive,
    Edition,
    Scope,
    any_number,
    closes,
    no_effect,
    optional,
    required,
)
from chalicelib.configuration.shiny_server_conf.directives.types import (
    BOOLEAN,
    FLOAT,
    SECONDS,
    STRING,
    choice,
)

_NEEDED = closes("a location that needs a login is closed to everybody")
_PART = closes("as the block that it is in")
_UNUSED = no_effect("Sheen signs nobody in by this file")

ROWS = (
    Directive(
        "required_user",
        ANYWHERE | {Scope.ADMIN},
        closes("the location is closed to everybody, unless ** is in the list"),
        (any_number("users", STRING),),
        edition=Edition.PRO,
        in_app_file=True,
    ),
    Directive(
        "required_group",
        ANYWHERE | {Scope.ADMIN},
        closes("the location is closed to everybody"),
        (any_number("groups", STRING),),
        edition=Edition.PRO,
        in_app_file=True,
    ),
    Directive(
        "auth_passwd_file",
        TOP,
        _NEEDED,
        (required("path", STRING),),
        edition=Edition.PRO,
        since="0.4.1",
    ),
    Directive(
        "auth_pam",
        TOP,
        _NEEDED,
        (optional("forwardPassword", BOOLEAN, False),),
        edition=Edition.PRO,
        since="1.1.0",
    ),
    Directive(
        "auth_google",
        TOP,
        _NEEDED,
        (required("id", STRING), required("secret", STRING), any_number("filters", STRING)),
        edition=Edition.PRO,
        since="1.1.0",
    ),
    Directive(
        "auth_ldap",
        TOP,
        _NEEDED,
        (required("url", STRING),),
        block=Scope.LDAP,
        edition=Edition.PRO,
        since="0.4.1",
    ),
    Directive(
        "auth_active_dir",
        TOP,
        _NEEDED,
        (required("url", STRING), required("userSuffix", STRING)),
        block=Scope.ACTIVE_DIR,
        edition=Edition.PRO,
        since="0.4.1",
    ),
    Directive(
        "auth_proxy",
        TOP,
        _NEEDED,
        (optional("usernameHeader", STRING, "X-Auth-Username"), optional("groupsHeader", STRING)),
        edition=Edition.PRO,
        since="1.4.3",
    ),
    Directive(
        "auth_duration",
        TOP,
        _UNUSED,
        (required("minutes", FLOAT),),
        edition=Edition.PRO,
    ),
    Directive(
        "auth_ignore_case",
        TOP,
        _UNUSED,
        (optional("enabled", BOOLEAN, True),),
        edition=Edition.PRO,
        since="1.5.8",
    ),
    Directive(
        "auth_frame_options",
        TOP,
        _UNUSED,
        (required("value", choice(("allow",))),),
        edition=Edition.PRO,
        since="1.4.5",
    ),
    Directive(
        "disable_login_autocomplete",
        TOP,
        _UNUSED,
        (optional("enabled", BOOLEAN, True),),
        edition=Edition.PRO,
        since="1.4.5",
    ),
    Directive(
        "group_list",
        TOP,
        _UNUSED,
        (
            required(
                "mode",
                choice(
                    (
                        "include",
                        "exclude",
                        "include_glob",
                        "exclude_glob",
                        "include_regex",
                        "exclude_regex",
                    )
                ),
            ),
            any_number("patterns", STRING),
        ),
        edition=Edition.PRO,
        since="1.5.2",
        repeatable=True,
    ),
    Directive(
        "ldap_timeout", DIRECTORY, _PART, (required("timeout", SECONDS),), edition=Edition.PRO
    ),
    Directive(
        "base_bind",
        DIRECTORY,
        _PART,
        (required("user", STRING), required("password", STRING)),
        edition=Edition.PRO,
        since="1.4.0",
    ),
    Directive(
        "user_bind_template",
        DIRECTORY,
        _PART,
        (required("template", STRING),),
        edition=Edition.PRO,
    ),
    Directive("user_filter", DIRECTORY, _PART, (required("filter", STRING),), edition=Edition.PRO),
    Directive(
        "user_search_base", DIRECTORY, _PART, (required("base", STRING),), edition=Edition.PRO
    ),
    Directive(
        "group_search_base", DIRECTORY, _PART, (required("base", STRING),), edition=Edition.PRO
    ),
    Directive("group_filter", DIRECTORY, _PART, (required("filter", STRING),), edition=Edition.PRO),
    Directive(
        "group_name_attribute",
        DIRECTORY,
        _PART,
        (optional("attribute", STRING, "cn"),),
        edition=Edition.PRO,
    ),
    Directive("trusted_ca", DIRECTORY, _PART, (any_number("files", STRING),), edition=Edition.PRO),
    Directive(
        "check_ssl_ca", DIRECTORY, _PART, (required("enabled", BOOLEAN),), edition=Edition.PRO
    ),
)
AUTHENTICATORS = tuple(row.name for row in ROWS if row.answer is _NEEDED)
"""The directives that say who signs visitors in."""
