"""Our own addresses, under `/api/v1/`: JSON, problem details, cursors."""
