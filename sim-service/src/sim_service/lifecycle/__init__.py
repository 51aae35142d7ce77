"""The life of a SIM in the network: wanted and actual state, connectivity, network events, diagnosis.

`actions` brings a SIM to what people want of it; `network_events` keeps what the network noted.
`diagnosis` reads all of these, and usage and quotas, to say why a SIM is silent.
"""
