"""The trials on one device: `measurements` of them, their number by `sizing`, and a seat for each."""
