"""Listing: lots go into a sale at Basta with their pictures, and the sale is published when it is sound."""

from tasks.listing.steps import basta_id_of, list_lot, make_sale, publish_sale, put_pictures, sale_of

__all__ = ["basta_id_of", "list_lot", "make_sale", "publish_sale", "put_pictures", "sale_of"]
