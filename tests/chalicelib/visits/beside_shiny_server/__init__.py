"""What Shiny Server answers and what Sheen answers: the same tree, configurations and questions."""
