"""What people order on the pages: forms and what they post."""
