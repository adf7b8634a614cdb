"""Keys, seals, tokens and addresses: what keeps secrets secret and strangers outside."""
