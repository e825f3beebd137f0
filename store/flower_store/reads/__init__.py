"""What the API reads: one module a subject, each function one statement or two, bounded in rows.

Every function takes an open connection (`reader.Reader.connect`), which translates the driver's errors.
"""
