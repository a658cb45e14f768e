"""Shiny apps in R: ``app.R``, or ``server.R`` with its user interface. Pure."""

from chalicelib.kinds.kind import AppFiles, Kind, NearMiss, Recognised


def _recognise(files: AppFiles) -> Recognised | NearMiss | None:
    if "app.r" in files.names:
        return Recognised()
    if "server.r" in files.names:
        if files.names & {"ui.r", "www/index.html"}:
            return Recognised()
        return NearMiss(
            f"{files.shown('server.R')} has no ui.R or www/index.html beside it; "
            "add one of them there"
        )
    if "ui.r" in files.names:
        return NearMiss(f"{files.shown('ui.R')} has no server.R beside it; add one")
    return None


KIND = Kind(
    name="shiny-r",
    words="a Shiny app in R",
    appmode="shiny",
    looked_for="an app.R, or a server.R with ui.R or www/index.html",
    recognise=_recognise,
)
