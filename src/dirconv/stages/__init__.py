"""The stages of the pipeline, the only code that knows file names: read inputs, call the library, write outputs.

A stage is one module with `run(...)`, called by `dirconv.cli`; modules that start with an underscore are shared.
"""
