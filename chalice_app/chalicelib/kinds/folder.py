"""Recognising an app in a folder of a configuration, by its files' names. Pure.

As for Shiny Server, files decide, and a manifest says at most where the object of an app in Python
is.
"""

from collections.abc import Iterable

from chalicelib.kinds import refused, served
from chalicelib.kinds.kind import AppFiles, Content, NearMiss, Recognised
from chalicelib.kinds.served import KindOfVersion
from chalicelib.publishing.errors import BadBundle


def kind_of(paths: Iterable[str], content: Content) -> KindOfVersion | str:
    """Return what is in a folder; a sentence that says why if it is nothing that instances serve.

    ``paths`` are relative: the names at the top, and ``www/index.html`` if it is there.
    """
    files = AppFiles(frozenset(paths), content)
    why = ""
    for kind in served.KINDS:
        if not kind.has_instance:
            continue
        try:
            found = kind.recognise(files)
        except BadBundle as error:
            found = NearMiss(str(error))
        match found:
            case Recognised(entrypoint) if entrypoint.isprintable():
                return KindOfVersion(kind, entrypoint)
            case NearMiss() as refusal:
                why = why or f"{refusal.why}."
    if why:
        return why
    if (other := refused.found_in(files.paths)) is not None:
        file, words = other
        return f"{file} makes it {words}, which Sheen does not serve yet."
    looked_for = ", or ".join(kind.looked_for for kind in served.KINDS if kind.has_instance)
    return f"No app is in it; {looked_for} must be there."
