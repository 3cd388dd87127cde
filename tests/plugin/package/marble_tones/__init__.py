"""A task for marble-eval, brought by a package of its own."""
