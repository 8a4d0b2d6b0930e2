"""The protocol of Baseten's API: pure, no I/O and no clock."""
