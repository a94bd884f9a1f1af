"""Reports of solutions: one HTML file that shows what came of them and why.

macjax.report([unmanaged, per_session, mac], "report.html")
"""

from macjax.reports.report import report as report
