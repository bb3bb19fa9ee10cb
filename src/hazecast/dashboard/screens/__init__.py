"""The pages: each draws one page context."""
