"""The dashboard, a Streamlit app on the public API: it uses nothing but `hazecast.client`."""
