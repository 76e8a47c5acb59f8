"""How good is it: scores that can be compared between families."""
