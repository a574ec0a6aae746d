"""Who may call the servers: keys, what was ordered with them, and links that show one study."""
