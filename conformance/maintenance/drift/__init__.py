"""What a service answers otherwise today than when it was recorded."""
