"""The pages: their examples are run, their outputs and tables compared, and the MDX page generated.

`blocks` reads Markdown, `examples` runs it, `features` and `mdx` write parts of pages, `reference`
looks at the generated API reference.
"""
