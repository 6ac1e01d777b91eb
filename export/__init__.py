"""Trained networks in the forms that other programs load. Nothing of training imports it."""
