"""Small fakes of systems that are common in public, answering in their documented formats, each with
the mapping that a person would write for it."""

from tests.contract.public.serving import serving
from tests.contract.public.systems import SYSTEMS, Expected, System, office_folder

__all__ = ["SYSTEMS", "Expected", "System", "office_folder", "serving"]
