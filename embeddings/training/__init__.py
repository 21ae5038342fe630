"""The recipe of the built-in model, from open data to a model folder, by one command."""
