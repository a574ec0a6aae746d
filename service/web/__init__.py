"""What the controller and the dashboard share as web servers: access, bodies, headers, faults, incidents."""
