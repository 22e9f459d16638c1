"""Grammar of the languages that prompts are read in.

`english` has a reader of its own. `spaced` reads six languages that write spaces, by the data of `spaced_tables`; `east_asian`
has a reader and words for each of Chinese, Japanese and Korean. All give the same `Reading`.
"""
