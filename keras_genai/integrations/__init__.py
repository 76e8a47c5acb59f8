"""Models in the frameworks of others: each module needs one of them."""
