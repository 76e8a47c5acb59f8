"""One architecture a file; models never import each other."""
