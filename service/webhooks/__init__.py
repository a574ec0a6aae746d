"""Tells webhooks what has happened: checked addresses, signed messages, and the thread that sends them."""
