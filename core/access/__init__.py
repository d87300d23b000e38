"""Who may do what: actors, users, keys, roles and rights, and the log of their acts."""
