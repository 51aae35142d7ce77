"""What costs money: top-ups, top-up policies, orders and the catalogue of products.

Every purchase is written down before the carrier is asked, and never sent twice (docs/decisions/0006).
"""
