"""What Prometheus reads of a server: its requests, its statements, its process, and of the controller the fleet."""
