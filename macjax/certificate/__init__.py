"""An independent certificate: feasibility, loads, objective and a lower bound."""

from macjax.certificate.certifier import Certifier as Certifier
from macjax.certificate.certifier import relative_gap as relative_gap
from macjax.certificate.certify import Certificate as Certificate
from macjax.certificate.certify import certificate_of as certificate_of
from macjax.certificate.certify import certify as certify
from macjax.certificate.feasibility import Feasibility as Feasibility
