"""Home of flash-attn's distributed helpers."""
