"""Who is it, and may they? Users, logins, passwords and admission.

:mod:`.admission` decides who may see an app, :mod:`.same_site` which requests may change something,
:mod:`.passwords` and :mod:`.password_file` read what a flat file says.
"""
