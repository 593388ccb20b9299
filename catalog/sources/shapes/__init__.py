"""The shapes of model lists, one module each; `list_dialect = "hf-router"` is `hf_router.py`.

A shape has `translate(entries, id_field) -> list[ListedModel]` and, where a list comes in pages,
`next_page(url, answer) -> str`: the address of the next one, "" after the last. What is translated
is what the provider serves for nothing: entries that cost money, are switched off or deprecated
are left out; entries that are no chat model stay in with their modality or as not wanted (they
keep a known offer alive but add none).
"""
