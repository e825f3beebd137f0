"""Logins by a provider: OAuth 2.0 (RFC 6749) with PKCE (RFC 7636), and OpenID Connect where the provider has it."""
