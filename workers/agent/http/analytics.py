"""The script of Google Analytics in an app's page (``google_analytics_id``). Pure."""


def element(measured: str) -> bytes:
    """Return the script elements for an id, which has letters, digits, ``-`` and ``_`` only.

    >>> element("")
    b''
    """
    if not measured:
        return b""
    if measured.upper().startswith("UA-"):
        source = "https://www.google-analytics.com/analytics.js"
        calls = (
            "window.ga=window.ga||function(){(ga.q=ga.q||[]).push(arguments)};ga.l=+new Date;"
            f"ga('create','{measured}','auto');ga('send','pageview');"
        )
    else:
        source = f"https://www.googletagmanager.com/gtag/js?id={measured}"
        calls = (
            "window.dataLayer=window.dataLayer||[];function gtag(){dataLayer.push(arguments)}"
            f"gtag('js',new Date());gtag('config','{measured}');"
        )
    return f'<script>{calls}</script>\n<script async src="{source}"></script>\n'.encode("ascii")
