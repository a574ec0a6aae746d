"""How many trials a device is given at once: measured (`measurements`), computed (`sizing`), and one seat for each."""
