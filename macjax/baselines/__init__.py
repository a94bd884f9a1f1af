"""What charging looks like without MAC: unmanaged, by tariff, by queue, by session."""

from macjax.baselines.first_come import first_come as first_come
from macjax.baselines.per_session import per_session as per_session
from macjax.baselines.tariffs import tariff_names as tariff_names
from macjax.baselines.tariffs import tariff_prices as tariff_prices
from macjax.baselines.time_of_use import time_of_use as time_of_use
from macjax.baselines.unmanaged import unmanaged as unmanaged
