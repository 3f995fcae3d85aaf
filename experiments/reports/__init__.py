"""What a finished study says: tables, figures, one page that needs no network."""
