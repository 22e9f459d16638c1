"""Grammar of the languages that prompts are read in.

`english` has a reader of its own. `spaced` reads six languages that write spaces, each by its `grammar`; `east_asian` has a
reader for each of Chinese, Japanese and Korean. All give the same `Reading`. The words of every language are data, in the
folder `words`.

No parser library is used. For Chinese, jieba 0.42.1 (2020, its last version) would end most nouns at the right letter, but
takes 37 MB on disk, 4 s at its first use and the process to 214 MB. English parsers with a tagger (spaCy, Stanza) need a model
to be downloaded.
"""
