"""What the user configures, and the service that it describes."""
