"""What is promised: the claims table, its columns, the pages that it quotes."""
