"""The pages of 年报工作台: a module a page, or a few that belong together.

A module has its handlers and `ROUTES`; `deployments/page/routes.py` puts them together.
What a page shows is made in `tasks/desk/`, without HTTP; how it looks lies in `templates/`.
"""
