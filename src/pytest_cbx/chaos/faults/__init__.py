"""Every kind of fault, one module a class. `kinds.all_kinds` lists them."""
