"""The pictures of the dashboard in the documentation: a home with real studies, and a browser that looks at it."""
