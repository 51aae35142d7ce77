"""SIMs as a file: CSV, XLSX or JSON Lines."""
