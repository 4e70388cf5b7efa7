"""What recipients offer now: names, addresses, STARTTLS, certificates, DANE, MTA-STS. Never sends mail."""
