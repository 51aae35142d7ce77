"""The live feed: everything stored, as it is stored, to browsers over Socket.IO."""
