"""Where SQL runs: the only room, with store, that imports a database driver."""
