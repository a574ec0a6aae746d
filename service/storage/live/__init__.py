"""What open pages follow of studies: read again and again, so a reading costs what has changed, not what there is."""
