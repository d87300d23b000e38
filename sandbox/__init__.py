"""Storefronts to try Holdfast against: they sell, count down, send webhooks, fail on request and keep a journal."""
