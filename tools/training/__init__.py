"""How the starter picture model is made: drawings, training, evaluation, export. `python -m tools.training` says each command."""
