"""The dashboard: server-rendered pages over the API's services; floor 2, so nothing below knows it.

Its door is `pages.py`. Pages work without script; the script in `static/dist` only keeps them up to date.
"""
