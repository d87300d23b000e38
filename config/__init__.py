"""Settings, the servers carried in wheels, and the one place where the application is put together."""
