"""How many trials a device is given at once: measured (`gauge`), computed (`sizing`), and one seat for each."""
