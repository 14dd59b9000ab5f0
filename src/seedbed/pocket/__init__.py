"""A pocket family of language models: small Llamas trained here on arithmetic word problems, run with numpy alone."""
