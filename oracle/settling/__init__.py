"""What the first bound leaves open: single samples, exact values, and the certificate of true errors."""
