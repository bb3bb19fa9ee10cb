"""Contract servers: services as documented, over real HTTP on loopback, that can be made to fail."""
