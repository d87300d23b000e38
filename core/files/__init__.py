"""Files of rows: read in with a preview, a record and a way back, and written so that they can be read in again."""
