"""How much devices and organisations may send over MQTT while readings of others wait."""
