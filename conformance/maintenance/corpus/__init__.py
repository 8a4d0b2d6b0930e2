"""Other people's recordings, replayed through the client and judged by an oracle of their own."""
