"""Mail logs of Postfix and Exim to deliveries with their TLS outcome."""
