"""The dashboard: shows what the API serves, and knows nothing but the API."""
