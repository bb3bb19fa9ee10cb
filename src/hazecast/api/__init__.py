"""The API: serves stored forecasts and observations with their age and provenance; it computes no forecast itself."""
