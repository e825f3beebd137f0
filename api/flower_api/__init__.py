"""The API room: URL to rows. It reads the store, speaks HTTP, and holds no state that a second replica would miss.

Its doors: `settings.ApiSettings`, `app.create_app`, `server.serve`; for pages `reads.Reads`.
"""
