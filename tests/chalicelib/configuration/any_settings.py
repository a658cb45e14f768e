"""Any names and values of settings, right or wrong, for property tests."""

from hypothesis import strategies as st

from chalicelib.configuration.app_settings import AppSettings

values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.text(max_size=4), max_size=2),
)
names = st.sampled_from([*AppSettings.__dataclass_fields__, "no_such_setting"])
