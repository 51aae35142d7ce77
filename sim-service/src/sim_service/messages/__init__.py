"""Text sent and received: SMS in both directions, and support tickets at the carrier."""
