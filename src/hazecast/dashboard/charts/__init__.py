"""The charts of the dashboard, drawn with Altair: fan, hour cells, verification and station map."""
