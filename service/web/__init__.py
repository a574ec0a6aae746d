"""What the controller and the dashboard share as web servers: who may call, bodies, headers, faults, incidents."""
