"""The pages: each shows one visit."""
