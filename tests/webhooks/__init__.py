"""Webhooks as their receivers see them."""
