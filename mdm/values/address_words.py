"""Names of states, countries and streets, and the codes or words that they are normalised to."""

_STATE_NAMES = (
    "AL ALABAMA|AK ALASKA|AZ ARIZONA|AR ARKANSAS|CA CALIFORNIA|CO COLORADO|CT CONNECTICUT|DE DELAWARE|DC DISTRICT OF COLUMBIA|FL FLORIDA|"
    "GA GEORGIA|HI HAWAII|ID IDAHO|IL ILLINOIS|IN INDIANA|IA IOWA|KS KANSAS|KY KENTUCKY|LA LOUISIANA|ME MAINE|MD MARYLAND|"
    "MA MASSACHUSETTS|MI MICHIGAN|MN MINNESOTA|MS MISSISSIPPI|MO MISSOURI|MT MONTANA|NE NEBRASKA|NV NEVADA|NH NEW HAMPSHIRE|"
    "NJ NEW JERSEY|NM NEW MEXICO|NY NEW YORK|NC NORTH CAROLINA|ND NORTH DAKOTA|OH OHIO|OK OKLAHOMA|OR OREGON|PA PENNSYLVANIA|"
    "RI RHODE ISLAND|SC SOUTH CAROLINA|SD SOUTH DAKOTA|TN TENNESSEE|TX TEXAS|UT UTAH|VT VERMONT|VA VIRGINIA|WA WASHINGTON|"
    "WV WEST VIRGINIA|WI WISCONSIN|WY WYOMING|PR PUERTO RICO|GU GUAM|VI VIRGIN ISLANDS|VI US VIRGIN ISLANDS|AS AMERICAN SAMOA|"
    "MP NORTHERN MARIANA ISLANDS|DC WASHINGTON DC|MA MASS|CA CALIF|CT CONN|PA PENN|PA PENNA|FL FLA|TN TENN|WA WASH|MI MICH|MN MINN|"
    "IL ILL|IN IND|WI WIS|WI WISC|TX TEX|CO COLO|AZ ARIZ|OR ORE|NE NEBR|KS KANS|OK OKLA|AL ALA|AR ARK|DE DEL"
)
STATES = {name: code for code, name in (entry.split(" ", 1) for entry in _STATE_NAMES.split("|"))}

_COUNTRY_NAMES = (
    "US USA|US UNITED STATES|US UNITED STATES OF AMERICA|US AMERICA|CA CANADA|CA CAN|MX MEXICO|MX MEX|GB UNITED KINGDOM|GB GREAT BRITAIN|"
    "GB ENGLAND|GB SCOTLAND|GB WALES|GB UK|GB GBR|DE GERMANY|DE DEU|FR FRANCE|FR FRA|ES SPAIN|ES ESP|IT ITALY|IT ITA|PT PORTUGAL|PT PRT|"
    "IE IRELAND|IE IRL|NL NETHERLANDS|NL NLD|BE BELGIUM|BE BEL|CH SWITZERLAND|CH CHE|AT AUSTRIA|AT AUT|SE SWEDEN|SE SWE|NO NORWAY|NO NOR|"
    "DK DENMARK|DK DNK|FI FINLAND|FI FIN|PL POLAND|PL POL|CN CHINA|CN CHN|JP JAPAN|JP JPN|KR SOUTH KOREA|KR KOREA|KR KOR|IN INDIA|IN IND|"
    "PK PAKISTAN|PK PAK|BD BANGLADESH|BD BGD|VN VIETNAM|VN VNM|PH PHILIPPINES|PH PHL|TW TAIWAN|TW TWN|MY MALAYSIA|MY MYS|TH THAILAND|"
    "TH THA|SG SINGAPORE|SG SGP|AU AUSTRALIA|AU AUS|NZ NEW ZEALAND|NZ NZL|BR BRAZIL|BR BRA|AR ARGENTINA|AR ARG|CO COLOMBIA|CO COL|"
    "PE PERU|PE PER|CL CHILE|CL CHL|VE VENEZUELA|VE VEN|CU CUBA|CU CUB|DO DOMINICAN REPUBLIC|DO DOM|HT HAITI|HT HTI|JM JAMAICA|JM JAM|"
    "GT GUATEMALA|GT GTM|HN HONDURAS|HN HND|SV EL SALVADOR|SV SLV|NI NICARAGUA|NI NIC|CR COSTA RICA|CR CRI|PA PANAMA|PA PAN|"
    "PR PUERTO RICO|PR PRI|NG NIGERIA|NG NGA|ET ETHIOPIA|ET ETH|KE KENYA|KE KEN|UG UGANDA|UG UGA|GH GHANA|GH GHA|SO SOMALIA|SO SOM|"
    "ZA SOUTH AFRICA|ZA ZAF|EG EGYPT|EG EGY|IL ISRAEL|IL ISR|IR IRAN|IR IRN|IQ IRAQ|IQ IRQ|SY SYRIA|SY SYR|TR TURKEY|TR TUR|RU RUSSIA|"
    "RU RUS|UA UKRAINE|UA UKR|AF AFGHANISTAN|AF AFG"
)
COUNTRIES = {name: code for code, name in (entry.split(" ", 1) for entry in _COUNTRY_NAMES.split("|"))}

_STREET_TYPES = (
    "street st str stret|avenue ave av aven avenu|boulevard blvd boul blv|drive dr drv|road rd|lane ln la|court ct crt|circle cir circ|"
    "place pl|terrace ter terr|parkway pkwy pky parkwy|highway hwy hiway hiwy|square sq|trail trl tr|plaza plz plza|alley aly ally|"
    "pike|turnpike tpke tpk turnpk|loop|crossing xing crssng|path|cove cv|expressway expy expwy|freeway fwy frwy|walk wlk|way wy|"
    "bend bnd|landing lndg|point pt|ridge rdg|trace trce|crescent cres|causeway cswy|row|run|mall|pass|extension ext extn"
)
STREET_TYPES = {word: words.split()[0] for words in _STREET_TYPES.split("|") for word in words.split()}

_DIRECTIONS = "n north no|s south so|e east|w west|ne northeast|nw northwest|se southeast|sw southwest"
DIRECTIONS = {word: words.split()[0] for words in _DIRECTIONS.split("|") for word in words.split()}

UNITS = frozenset(
    {"apt", "apartment", "unit", "ste", "suite", "rm", "room", "fl", "floor", "flr", "bldg", "building", "lot", "trlr", "trailer", "spc"}
    | {"space", "dept", "department", "ph", "penthouse", "#"}
)

ROUTES = frozenset({"highway", "hwy", "hiway", "route", "rte", "rt", "interstate"})
ROUTE_WORDS = {
    "hwy": "highway", "hiway": "highway", "rte": "route", "rt": "route", "co": "county", "cty": "county", "rd": "road", "st": "state",
}  # fmt: skip

_NUMBER_NAMES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
NUMBER_WORDS = {word: str(number) for number, word in enumerate(_NUMBER_NAMES, start=1)}
_ORDINAL_NAMES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth")
ORDINALS = {word: str(number) for number, word in enumerate(_ORDINAL_NAMES, start=1)}
STREET_WORDS = {
    "ctr": "center", "cntr": "center", "centre": "center", "mt": "mount", "ft": "fort", "hosp": "hospital", "med": "medical",
    "mlk": "martin luther king", "jfk": "john f kennedy", "univ": "university", "pk": "park", "hts": "heights", "ests": "estates",
    "spgs": "springs", "gdns": "gardens", "vly": "valley", "vlg": "village", "lk": "lake", "hl": "hill",
}  # fmt: skip
