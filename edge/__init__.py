"""Every door in: webhook receivers, the command line, and the supervisor of the processes."""
