"""A small fake vendor: one HTTP server that plays every paging, sign-in and format."""

from tests.contract.vendor.server import Vendor

__all__ = ["Vendor"]
