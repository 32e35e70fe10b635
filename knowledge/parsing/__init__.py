"""Reads one document of any kind to text, in a process of its own (process.py), under limits of memory and time.

The readers of the kinds stand beside each other and give lines (lines.py); reading.py puts them together. They tell what a file
is from its content and import nothing of this project outside this folder.
"""
