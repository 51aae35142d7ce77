"""What devices themselves report to have sent and received, beside what the carrier counted."""
