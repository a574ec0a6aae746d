"""One module a file: thin state around a pure function of `pernodedrop.functional`."""
