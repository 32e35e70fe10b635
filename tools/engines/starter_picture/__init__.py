"""The starter picture model: icons and simple drawings from English and French words, small enough to come with the project."""
