"""The words of a report: sentences that are data, filled with an edition's figures."""
