"""Monthly limits that the customer sets for all SIMs together; never for one SIM."""
