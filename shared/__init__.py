"""What every service needs and no service owns: types on the wire, clients, security, plumbing."""
