"""CJ, Basta, Stripe, Resend, an image host and an alert sink on loopback, with memory and faults.

Imports nothing of the product: a wrong idea about a vendor must not sit on both sides and agree with itself.
"""
