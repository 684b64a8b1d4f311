"""The four functions of flash-attn that OpenRLHF imports, in plain torch (no CPU build exists)."""
