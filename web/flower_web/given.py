"""What a handler is given by the application, by the names that Litestar looks for."""

from datetime import datetime

from litestar.di import NamedDependency

from flower_api import reads, settings

GivenReads = NamedDependency[reads.Reads]
"""`reads`: the store's connections."""

GivenSettings = NamedDependency[settings.ApiSettings]
"""`api_settings`"""

GivenNow = NamedDependency[datetime]
"""`now`: the moment of the request, UTC."""
