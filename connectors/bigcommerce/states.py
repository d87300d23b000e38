"""ISO 3166-2 codes of the subdivisions that BigCommerce's storefronts offer by their English names."""

from collections.abc import Mapping

_NAMES = {
    "US": """
        AL Alabama, AK Alaska, AZ Arizona, AR Arkansas, CA California, CO Colorado, CT Connecticut, DE Delaware,
        DC District of Columbia, FL Florida, GA Georgia, HI Hawaii, ID Idaho, IL Illinois, IN Indiana, IA Iowa,
        KS Kansas, KY Kentucky, LA Louisiana, ME Maine, MD Maryland, MA Massachusetts, MI Michigan, MN Minnesota,
        MS Mississippi, MO Missouri, MT Montana, NE Nebraska, NV Nevada, NH New Hampshire, NJ New Jersey,
        NM New Mexico, NY New York, NC North Carolina, ND North Dakota, OH Ohio, OK Oklahoma, OR Oregon,
        PA Pennsylvania, RI Rhode Island, SC South Carolina, SD South Dakota, TN Tennessee, TX Texas, UT Utah,
        VT Vermont, VA Virginia, WA Washington, WV West Virginia, WI Wisconsin, WY Wyoming""",
    "CA": """
        AB Alberta, BC British Columbia, MB Manitoba, NB New Brunswick, NL Newfoundland and Labrador,
        NS Nova Scotia, NT Northwest Territories, NU Nunavut, ON Ontario, PE Prince Edward Island, QC Quebec,
        SK Saskatchewan, YT Yukon""",
    "AU": """
        ACT Australian Capital Territory, NSW New South Wales, NT Northern Territory, QLD Queensland,
        SA South Australia, TAS Tasmania, VIC Victoria, WA Western Australia""",
}


def _codes(names: str) -> Mapping[str, str]:
    pairs = (entry.strip().split(" ", 1) for entry in names.split(","))
    return {name.casefold(): code for code, name in pairs}


_CODES = {country: _codes(names) for country, names in _NAMES.items()}


def code_of(country: object, state: object) -> object:
    """The code of a subdivision told by its name; what no list has is given back as it is."""
    if not isinstance(country, str) or not isinstance(state, str):
        return state
    return _CODES.get(country.strip().upper(), {}).get(state.strip().casefold(), state)
