"""The field's words and rules, pure: no clock, no network, no files."""
