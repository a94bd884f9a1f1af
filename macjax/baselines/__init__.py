"""What charging looks like without MAC: unmanaged, by tariff, by queue, by session.

All take `on_infeasible`, what becomes of vehicles that cannot make their trips even at
full power, as `macjax.solve` does. `per_session` optimises and, like `solve`, raises by
default: a bound that covers vehicles nobody can serve would prove nothing about them.
The others simulate, and what would strand is their result: by default ("relax") every
vehicle charges as it would, and `.stranded` lists those that run short. Give all the
same choice to compare the same fleet.
"""

from macjax.baselines.first_come import first_come as first_come
from macjax.baselines.per_session import per_session as per_session
from macjax.baselines.tariffs import tariff_names as tariff_names
from macjax.baselines.tariffs import tariff_prices as tariff_prices
from macjax.baselines.time_of_use import time_of_use as time_of_use
from macjax.baselines.unmanaged import unmanaged as unmanaged
