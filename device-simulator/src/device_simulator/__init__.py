"""Devices that publish over MQTT or HTTP, or over AMQP as a trusted producer; also the load generator."""
