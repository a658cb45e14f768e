"""The queue for a full app.

Places are leases that a waiting page renews, served in order of arrival.
"""
