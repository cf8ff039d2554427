/* SPDX-License-Identifier: Apache-2.0 */
#include "sql/time_names.h"

#include <stdbool.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HM(h, m)     ((h)*3600 + (m)*60)

/* clang-format off */
static const char *const months_short[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
static const char *const months_full[] = { "January", "February", "March", "April", "May", "June", "July", "August", "September",
                                           "October", "November", "December" };
static const char *const months_narrow[] = { "J", "F", "M", "A", "M", "J", "J", "A", "S", "O", "N", "D" };
static const char *const days_short[] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };
static const char *const days_full[] = { "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday" };
static const char *const days_narrow[] = { "M", "T", "W", "T", "F", "S", "S" };
static const char *const eras_short[] = { "BC", "AD" };
static const char *const eras_full[] = { "Before Christ", "Anno Domini" };
static const char *const eras_narrow[] = { "B", "A" };
static const char *const quarters_short[] = { "Q1", "Q2", "Q3", "Q4" };
static const char *const quarters_full[] = { "1st quarter", "2nd quarter", "3rd quarter", "4th quarter" };
static const char *const quarters_narrow[] = { "1", "2", "3", "4" };
static const char *const halves[] = { "AM", "PM" };

const struct time_names time_months = { 1, 12, { months_short, months_full, months_narrow } };
const struct time_names time_days = { 1, 7, { days_short, days_full, days_narrow } };
const struct time_names time_eras = { 0, 2, { eras_short, eras_full, eras_narrow } };
const struct time_names time_quarters = { 1, 4, { quarters_short, quarters_full, quarters_narrow } };
const struct time_names time_halves = { 0, 2, { halves, halves, halves } };

/* By abbreviation; of several rows with one abbreviation the first is what it means in a text. */
static const struct time_zone_name zone_names[] = {
    { "UTC", 0, "Coordinated Universal Time", "UTC" },
    { "GMT", 0, "Greenwich Mean Time", "GMT" },
    { "ACDT", HM(10, 30), "Australian Central Daylight Time", "Australia/Adelaide" },
    { "ACST", HM(9, 30), "Australian Central Standard Time", "Australia/Adelaide" },
    { "ADT", HM(-3, 0), "Atlantic Daylight Time", "America/Halifax" },
    { "AEDT", HM(11, 0), "Australian Eastern Daylight Time", "Australia/Sydney" },
    { "AEST", HM(10, 0), "Australian Eastern Standard Time", "Australia/Sydney" },
    { "AKDT", HM(-8, 0), "Alaska Daylight Time", "America/Anchorage" },
    { "AKST", HM(-9, 0), "Alaska Standard Time", "America/Anchorage" },
    { "AST", HM(-4, 0), "Atlantic Standard Time", "America/Halifax" },
    { "AWST", HM(8, 0), "Australian Western Standard Time", "Australia/Perth" },
    { "BST", HM(1, 0), "British Summer Time", "Europe/London" },
    { "CAT", HM(2, 0), "Central Africa Time", "Africa/Maputo" },
    { "CDT", HM(-5, 0), "Central Daylight Time", "America/Chicago" },
    { "CDT", HM(-4, 0), "Cuba Daylight Time", "America/Havana" },
    { "CEST", HM(2, 0), "Central European Summer Time", "Europe/Paris" },
    { "CET", HM(1, 0), "Central European Standard Time", "Europe/Paris" },
    { "CST", HM(-6, 0), "Central Standard Time", "America/Chicago" },
    { "CST", HM(-5, 0), "Cuba Standard Time", "America/Havana" },
    { "CST", HM(8, 0), "China Standard Time", "Asia/Shanghai" },
    { "ChST", HM(10, 0), "Chamorro Standard Time", "Pacific/Guam" },
    { "EAT", HM(3, 0), "East Africa Time", "Africa/Nairobi" },
    { "EDT", HM(-4, 0), "Eastern Daylight Time", "America/New_York" },
    { "EEST", HM(3, 0), "Eastern European Summer Time", "Europe/Bucharest" },
    { "EET", HM(2, 0), "Eastern European Standard Time", "Europe/Bucharest" },
    { "EST", HM(-5, 0), "Eastern Standard Time", "America/New_York" },
    { "HDT", HM(-9, 0), "Hawaii-Aleutian Daylight Time", "America/Adak" },
    { "HKT", HM(8, 0), "Hong Kong Standard Time", "Asia/Hong_Kong" },
    { "HKST", HM(9, 0), "Hong Kong Summer Time", "Asia/Hong_Kong" },
    { "HST", HM(-10, 0), "Hawaii-Aleutian Standard Time", "Pacific/Honolulu" },
    { "IDT", HM(3, 0), "Israel Daylight Time", "Asia/Jerusalem" },
    { "IST", HM(5, 30), "India Standard Time", "Asia/Kolkata" },
    { "IST", HM(2, 0), "Israel Standard Time", "Asia/Jerusalem" },
    { "IST", HM(1, 0), "Irish Standard Time", "Europe/Dublin" },
    { "JDT", HM(10, 0), "Japan Daylight Time", "Asia/Tokyo" },
    { "JST", HM(9, 0), "Japan Standard Time", "Asia/Tokyo" },
    { "KDT", HM(10, 0), "Korean Daylight Time", "Asia/Seoul" },
    { "KST", HM(9, 0), "Korean Standard Time", "Asia/Seoul" },
    { "MDT", HM(-6, 0), "Mountain Daylight Time", "America/Denver" },
    { "MEST", HM(2, 0), "Middle Europe Summer Time", "MET" },
    { "MET", HM(1, 0), "Middle Europe Time", "MET" },
    { "MSK", HM(3, 0), "Moscow Standard Time", "Europe/Moscow" },
    { "MST", HM(-7, 0), "Mountain Standard Time", "America/Denver" },
    { "NDT", HM(-2, -30), "Newfoundland Daylight Time", "America/St_Johns" },
    { "NST", HM(-3, -30), "Newfoundland Standard Time", "America/St_Johns" },
    { "NZDT", HM(13, 0), "New Zealand Daylight Time", "Pacific/Auckland" },
    { "NZST", HM(12, 0), "New Zealand Standard Time", "Pacific/Auckland" },
    { "PDT", HM(-7, 0), "Pacific Daylight Time", "America/Los_Angeles" },
    { "PKT", HM(5, 0), "Pakistan Standard Time", "Asia/Karachi" },
    { "PST", HM(-8, 0), "Pacific Standard Time", "America/Los_Angeles" },
    { "PST", HM(8, 0), "Philippine Standard Time", "Asia/Manila" },
    { "SAST", HM(2, 0), "South Africa Standard Time", "Africa/Johannesburg" },
    { "SST", HM(-11, 0), "Samoa Standard Time", "Pacific/Pago_Pago" },
    { "WAT", HM(1, 0), "West Africa Standard Time", "Africa/Lagos" },
    { "WEST", HM(1, 0), "Western European Summer Time", "Atlantic/Canary" },
    { "WET", HM(0, 0), "Western European Standard Time", "Atlantic/Canary" },
    { "WIB", HM(7, 0), "Western Indonesia Time", "Asia/Jakarta" },
    { "WIT", HM(9, 0), "Eastern Indonesia Time", "Asia/Jayapura" },
    { "WITA", HM(8, 0), "Central Indonesia Time", "Asia/Makassar" },
    /* places whose files have no letters */
    { "AFT", HM(4, 30), "Afghanistan Time", "Asia/Kabul" },
    { "ALMT", HM(5, 0), "East Kazakhstan Time", "Asia/Almaty" },
    { "AMT", HM(-4, 0), "Amazon Standard Time", "America/Manaus" },
    { "AMT", HM(4, 0), "Armenia Standard Time", "Asia/Yerevan" },
    { "ART", HM(-3, 0), "Argentina Standard Time", "America/Argentina/Buenos_Aires" },
    { "AST", HM(3, 0), "Arabian Standard Time", "Asia/Riyadh" },
    { "AST", HM(3, 0), "Arabian Standard Time", "Asia/Baghdad" },
    { "AST", HM(3, 0), "Arabian Standard Time", "Asia/Kuwait" },
    { "AST", HM(3, 0), "Arabian Standard Time", "Asia/Qatar" },
    { "AZOST", HM(0, 0), "Azores Summer Time", "Atlantic/Azores" },
    { "AZOT", HM(-1, 0), "Azores Standard Time", "Atlantic/Azores" },
    { "AZT", HM(4, 0), "Azerbaijan Standard Time", "Asia/Baku" },
    { "BDT", HM(6, 0), "Bangladesh Standard Time", "Asia/Dhaka" },
    { "BOT", HM(-4, 0), "Bolivia Time", "America/La_Paz" },
    { "BRST", HM(-2, 0), "Brasilia Summer Time", "America/Sao_Paulo" },
    { "BRT", HM(-3, 0), "Brasilia Standard Time", "America/Sao_Paulo" },
    { "BTT", HM(6, 0), "Bhutan Time", "Asia/Thimphu" },
    { "CHADT", HM(13, 45), "Chatham Daylight Time", "Pacific/Chatham" },
    { "CHAST", HM(12, 45), "Chatham Standard Time", "Pacific/Chatham" },
    { "CLST", HM(-3, 0), "Chile Summer Time", "America/Santiago" },
    { "CLT", HM(-4, 0), "Chile Standard Time", "America/Santiago" },
    { "COT", HM(-5, 0), "Colombia Standard Time", "America/Bogota" },
    { "CVT", HM(-1, 0), "Cape Verde Standard Time", "Atlantic/Cape_Verde" },
    { "EASST", HM(-5, 0), "Easter Island Summer Time", "Pacific/Easter" },
    { "EAST", HM(-6, 0), "Easter Island Standard Time", "Pacific/Easter" },
    { "ECT", HM(-5, 0), "Ecuador Time", "America/Guayaquil" },
    { "FJT", HM(12, 0), "Fiji Standard Time", "Pacific/Fiji" },
    { "FKT", HM(-3, 0), "Falkland Islands Standard Time", "Atlantic/Stanley" },
    { "FNT", HM(-2, 0), "Fernando de Noronha Standard Time", "America/Noronha" },
    { "GALT", HM(-6, 0), "Galapagos Time", "Pacific/Galapagos" },
    { "GET", HM(4, 0), "Georgia Standard Time", "Asia/Tbilisi" },
    { "GFT", HM(-3, 0), "French Guiana Time", "America/Cayenne" },
    { "GST", HM(4, 0), "Gulf Standard Time", "Asia/Dubai" },
    { "GYT", HM(-4, 0), "Guyana Time", "America/Guyana" },
    { "ICT", HM(7, 0), "Indochina Time", "Asia/Bangkok" },
    { "ICT", HM(7, 0), "Indochina Time", "Asia/Ho_Chi_Minh" },
    { "IRKT", HM(8, 0), "Irkutsk Standard Time", "Asia/Irkutsk" },
    { "IRST", HM(3, 30), "Iran Standard Time", "Asia/Tehran" },
    { "KGT", HM(6, 0), "Kyrgyzstan Time", "Asia/Bishkek" },
    { "KRAT", HM(7, 0), "Krasnoyarsk Standard Time", "Asia/Krasnoyarsk" },
    { "LHDT", HM(11, 0), "Lord Howe Daylight Time", "Australia/Lord_Howe" },
    { "LHST", HM(10, 30), "Lord Howe Standard Time", "Australia/Lord_Howe" },
    { "LINT", HM(14, 0), "Line Islands Time", "Pacific/Kiritimati" },
    { "MAGT", HM(11, 0), "Magadan Standard Time", "Asia/Magadan" },
    { "MART", HM(-9, -30), "Marquesas Time", "Pacific/Marquesas" },
    { "MMT", HM(6, 30), "Myanmar Time", "Asia/Yangon" },
    { "MUT", HM(4, 0), "Mauritius Standard Time", "Indian/Mauritius" },
    { "MVT", HM(5, 0), "Maldives Time", "Indian/Maldives" },
    { "MYT", HM(8, 0), "Malaysia Time", "Asia/Kuala_Lumpur" },
    { "NCT", HM(11, 0), "New Caledonia Standard Time", "Pacific/Noumea" },
    { "NOVT", HM(7, 0), "Novosibirsk Standard Time", "Asia/Novosibirsk" },
    { "NPT", HM(5, 45), "Nepal Time", "Asia/Kathmandu" },
    { "OMST", HM(6, 0), "Omsk Standard Time", "Asia/Omsk" },
    { "PET", HM(-5, 0), "Peru Standard Time", "America/Lima" },
    { "PETT", HM(12, 0), "Petropavlovsk-Kamchatski Standard Time", "Asia/Kamchatka" },
    { "PGT", HM(10, 0), "Papua New Guinea Time", "Pacific/Port_Moresby" },
    { "PYT", HM(-3, 0), "Paraguay Standard Time", "America/Asuncion" },
    { "SAMT", HM(4, 0), "Samara Standard Time", "Europe/Samara" },
    { "SGT", HM(8, 0), "Singapore Standard Time", "Asia/Singapore" },
    { "SRT", HM(-3, 0), "Suriname Time", "America/Paramaribo" },
    { "TAHT", HM(-10, 0), "Tahiti Time", "Pacific/Tahiti" },
    { "TJT", HM(5, 0), "Tajikistan Time", "Asia/Dushanbe" },
    { "TMT", HM(5, 0), "Turkmenistan Standard Time", "Asia/Ashgabat" },
    { "TOT", HM(13, 0), "Tonga Standard Time", "Pacific/Tongatapu" },
    { "TRT", HM(3, 0), "Turkey Time", "Europe/Istanbul" },
    { "ULAT", HM(8, 0), "Ulaanbaatar Standard Time", "Asia/Ulaanbaatar" },
    { "UYT", HM(-3, 0), "Uruguay Standard Time", "America/Montevideo" },
    { "UZT", HM(5, 0), "Uzbekistan Standard Time", "Asia/Tashkent" },
    { "VET", HM(-4, 0), "Venezuela Time", "America/Caracas" },
    { "VLAT", HM(10, 0), "Vladivostok Standard Time", "Asia/Vladivostok" },
    { "WGST", HM(-1, 0), "West Greenland Summer Time", "America/Nuuk" },
    { "WGT", HM(-2, 0), "West Greenland Standard Time", "America/Nuuk" },
    { "WSDT", HM(14, 0), "Apia Daylight Time", "Pacific/Apia" },
    { "WSST", HM(13, 0), "Apia Standard Time", "Pacific/Apia" },
    { "YAKT", HM(9, 0), "Yakutsk Standard Time", "Asia/Yakutsk" },
    { "YEKT", HM(5, 0), "Yekaterinburg Standard Time", "Asia/Yekaterinburg" },
};

static const struct {
    const char *names[TIME_NARROW];
    const char *zone;
} generic_names[] = {
    { { "UTC", "Coordinated Universal Time" }, "UTC" },
    { { "GMT", "Greenwich Mean Time" }, "GMT" },
    { { "AET", "Eastern Australia Time" }, "Australia/Sydney" },
    { { "AKT", "Alaska Time" }, "America/Anchorage" },
    { { "AT", "Atlantic Time" }, "America/Halifax" },
    { { "CET", "Central European Time" }, "Europe/Paris" },
    { { "CT", "Central Time" }, "America/Chicago" },
    { { "EET", "Eastern European Time" }, "Europe/Bucharest" },
    { { "ET", "Eastern Time" }, "America/New_York" },
    { { "JT", "Japan Time" }, "Asia/Tokyo" },
    { { "MT", "Mountain Time" }, "America/Denver" },
    { { "NT", "Newfoundland Time" }, "America/St_Johns" },
    { { "NZT", "New Zealand Time" }, "Pacific/Auckland" },
    { { "PT", "Pacific Time" }, "America/Los_Angeles" },
    { { "WET", "Western European Time" }, "Atlantic/Canary" },
};
/* clang-format on */

static bool is_lettered(const char *abbreviation)
{
    return abbreviation[0] != '+' && abbreviation[0] != '-';
}

const struct time_zone_name *time_zone_name_at(const char *zone, const char *abbreviation, int32_t offset_s)
{
    bool lettered = is_lettered(abbreviation);
    for (size_t i = 0; i < COUNT(zone_names); i++) {
        const struct time_zone_name *row = &zone_names[i];
        if (row->offset_s == offset_s &&
            (lettered ? strcmp(row->abbreviation, abbreviation) == 0 : strcmp(row->zone, zone) == 0))
            return row;
    }
    return NULL;
}

/* Keep the name if the text begins with it and it is longer than what was found before. */
static void consider(const char *name, const char *zone, const char *text, size_t len, const char **found, size_t *used)
{
    size_t name_len = strlen(name);
    if (name_len <= len && name_len > *used && memcmp(name, text, name_len) == 0) {
        *found = zone;
        *used = name_len;
    }
}

const char *time_zone_name_read(const char *text, size_t len, enum time_style style, size_t *used)
{
    const char *found = NULL;
    *used = 0;
    for (size_t i = 0; i < COUNT(zone_names); i++) {
        const struct time_zone_name *row = &zone_names[i];
        consider(style == TIME_SHORT ? row->abbreviation : row->name, row->zone, text, len, &found, used);
    }
    for (size_t i = 0; i < COUNT(generic_names); i++)
        consider(generic_names[i].names[style], generic_names[i].zone, text, len, &found, used);
    return found;
}
