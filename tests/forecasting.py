"""Which tests run: those that need the forecasting library, or those that need it away."""

import pytest

from core.replenish import forecast

needs_forecast = pytest.mark.skipif(
    not forecast.is_installed(), reason="the forecasting library is an extra: `make check-forecast` runs this"
)
without_forecast = pytest.mark.skipif(forecast.is_installed(), reason="the forecasting library is installed")
