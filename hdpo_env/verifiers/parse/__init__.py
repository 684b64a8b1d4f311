"""Final answers as text -> a small typed tree, without evaluating anything."""
