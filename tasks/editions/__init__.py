"""Editions: from the records of a snapshot to cells and findings, kept, compared, explained."""
