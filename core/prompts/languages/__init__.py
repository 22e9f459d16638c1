"""Grammar of languages other than English: data in `spaced_tables` and `east_asian_tables`, one reader for each kind."""
