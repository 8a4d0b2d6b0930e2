"""What the user set, and the service that it stands for."""
