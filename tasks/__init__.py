"""The tasks that come with marble-eval, a folder each; looked up by name, never imported."""
