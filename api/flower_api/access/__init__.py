"""Who is let in, and what each may do: principals, roles, and the one guard of every route."""
