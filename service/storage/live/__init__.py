"""What open pages follow of studies: read again and again, so each reading costs what has changed, not what there is."""
