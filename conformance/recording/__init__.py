"""How cassettes come to be: asked for, redacted, scanned, proved, labelled, kept."""
