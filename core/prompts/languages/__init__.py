"""Grammar of the languages that prompts are read in.

`english` has a reader of its own. `spaced` reads six languages that write spaces, by the data of `spaced_tables`; `east_asian`
reads Chinese, Japanese and Korean, by the data of `east_asian_tables`. Each gives the same `Reading`.
"""
