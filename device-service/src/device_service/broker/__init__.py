"""What RabbitMQ asks before a device may log in, publish or subscribe."""
