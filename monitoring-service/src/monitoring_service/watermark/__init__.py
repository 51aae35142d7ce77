"""Up to when the queues of readings are worked off: silence after that says nothing about a device.

Each worker sends marks with the time through the queues, behind the readings that wait there. A worker that
has handled a mark has handled everything that it was given before. The watermark of the fleet is that of the
worker that is furthest behind: whoever got a reading that had reached the broker by then, it is stored and
told of.
"""
