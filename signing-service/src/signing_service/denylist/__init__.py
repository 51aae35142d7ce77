"""Revoked tokens: kept in Postgres, copied to Redis for all services."""
