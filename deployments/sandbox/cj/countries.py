"""Countries: which there are, where CJ sends to, and how far that is."""

from __future__ import annotations

from deployments.sandbox.cj.envelope import Refusal

COUNTRY_UNKNOWN = 1605002

#: Where parcels go at all, and how far that is, in per cent of the way to the US.
DISTANCE = {
    "US": 100, "CA": 110, "GB": 95, "DE": 98, "FR": 100, "ES": 102, "IT": 102, "NL": 98, "BE": 99, "AT": 101,
    "IE": 108, "SE": 106, "DK": 105, "FI": 110, "PL": 100, "PT": 105, "CZ": 103, "NO": 115, "CH": 112, "AU": 115,
    "NZ": 130, "AE": 120, "JP": 90, "KR": 90, "SG": 92, "MX": 140, "BR": 160, "IL": 118, "SA": 124, "ZA": 150,
}  # fmt: skip
_EU = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
_ISO = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ "
    "CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO "
    "FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE "
    "JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO "
    "MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW "
    "PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM "
    "TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"
)
EU = frozenset(_EU.split())
#: ISO 3166-1 alpha-2.
ISO = frozenset(_ISO.split())


def known_country(code: str) -> str:
    """The code itself.

    Raises:
        Refusal: 1605002 where no country has it.
    """
    if code not in ISO:
        raise Refusal(COUNTRY_UNKNOWN, f"Country code not found: {code}")
    return code
