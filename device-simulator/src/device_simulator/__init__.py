"""Devices that publish over MQTT, HTTP or AMQP; also the load generator."""
