"""SIMs come and go: claimed by an organisation, released, imported from files, exported to files.

Above inventory, usage and lifecycle, because a SIM that changes its owner changes what those hold.
What is read and changed of one SIM that stays where it is belongs to the packages below.
"""
