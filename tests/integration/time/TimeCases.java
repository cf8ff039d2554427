// SPDX-License-Identifier: Apache-2.0

import java.text.ParsePosition;
import java.time.*;
import java.time.format.*;
import java.time.temporal.*;
import java.time.zone.ZoneOffsetTransition;
import java.util.*;
import java.util.stream.Stream;

/**
 * The other opinion on time_to_epoch and parse_time: cases of patterns and instants with what java.time makes of them, as JSON
 * Lines on standard output. Run as a single source file: java TimeCases.java SEED COUNT. The same seed gives the same cases.
 *
 * <p>A parse case is {"kind":"parse","pattern","text","millis" or null}; a format case {"kind":"format","pattern" in Joda's
 * letters,"at","zone","text"}. Both have "zone", "second" and "offset" of the instant they were made of, for the reader to see
 * whether its own time zone data agrees with Java's. JDK 17 does as JDK 11 in all that is generated here.
 */
public class TimeCases {
    /** Places with and without daylight saving, on both hemispheres, by half hours, and with gaps at midnight. */
    static final String[] ZONES = {
        "UTC", "Europe/Paris", "Europe/London", "Europe/Dublin", "Europe/Moscow", "America/New_York", "America/Chicago",
        "America/Los_Angeles", "America/St_Johns", "America/Sao_Paulo", "America/Havana", "America/Santiago", "Asia/Tokyo",
        "Asia/Kolkata", "Asia/Kathmandu", "Asia/Tehran", "Asia/Beirut", "Australia/Sydney", "Australia/Lord_Howe",
        "Australia/Adelaide", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Apia", "Africa/Casablanca", "Africa/Cairo",
        "America/Nuuk", "Antarctica/Troll", "Etc/GMT+5",
    };

    /** Those whose abbreviations and names mean the same here and there. */
    static final String[] NAMED_ZONES = {
        "UTC", "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Halifax",
        "Europe/Paris", "Asia/Tokyo", "Australia/Sydney", "Pacific/Auckland",
    };

    static final String[] DATES = {
        "yyyy-MM-dd", "uuuu-MM-dd", "yyyy.M.d", "dd MMMM yyyy", "d MMM yy", "EEE, d MMM yyyy", "EEEE d MMMM uuuu", "yyyyMMdd", "yyMMdd",
        "yyyy-DDD", "uuuuDDD", "y-D", "yyyy-MM-dd G", "GGGG y/M/d", "y MMMMM d", "LLLL d, y", "LLL d, u", "yyyy'Q'q MM dd", "QQQ yyyy MM dd",
        "QQQQ, d.M.y", "YYYY-'W'ww-e", "YYYYwwe", "YY ww EEE", "YYYY-'W'w-c", "yyyy-MM W EEE", "yyyy-MM-dd F", "g", "yyyy-MM-dd eee", "cccc yyyy-MM-dd",
        "yyyy-MM-dd D", "uuuu-MM-dd w YYYY", "yyyy-MM[-dd]", "[yyyy-MM-dd][dd.MM.yyyy]", "ppppppyyyy-ppMM-ppdd", "d/M/uuuu", "yyyy-MM-dd QQ", "MMddyyyy",
        "dMMyyyy", "yyyyMMd", "u-M-d G", "yyyy-MM-dd W", "EEEEE yyyy-MM-dd",
    };

    static final String[] TIMES = {
        "HH:mm", "HH:mm:ss", "HH:mm:ss.SSS", "HHmmss", "HHmmssSSS", "h:mm a", "hh:mm:ss a", "K:mm a", "KK:mm:ss.SSSSSS a", "k:mm", "kk:mm:ss",
        "H", "HH", "HH:mm[:ss[.SSS]]", "A", "N", "H:m:s.S", "HH:mm:ss n", "HH:mm:ss.SSSSSSSSS", "AAAAAAAA", "NNNNNNNNNNNNNNN", "h:mm",
        "mm:ss", "ppH:ppm", "HH 'o''clock'", "a h", "HH:mm a", "HH A", "H:mm h a", "",
    };

    static final String[] OFFSETS = {
        "X", "XX", "XXX", "XXXX", "XXXXX", "x", "xx", "xxx", "xxxx", "xxxxx", "Z", "ZZ", "ZZZ", "ZZZZ", "ZZZZZ", "O", "OOOO", "VV", "'UTC'xxx", "[XXX]['['VV']']",
        "xxx VV",
    };

    static final String LETTERS = "GuyDMLdQqYwWEecFahKkHmsSAnNVzOXxZgvp";

    final Random random;

    TimeCases(long seed) {
        random = new Random(seed);
    }

    <T> T pick(T[] of) {
        return of[random.nextInt(of.length)];
    }

    // --- instants ---

    /** Mostly 1970 to 2100, also far off, often near a transition, where clocks skip or repeat. */
    ZonedDateTime instant(ZoneId zone) {
        int kind = random.nextInt(20);
        int year = kind < 14 ? 1970 + random.nextInt(131) : kind < 17 ? 1900 + random.nextInt(70) : kind < 19 ? 2100 + random.nextInt(300) : random.nextInt(12000) - 2000;
        long second = LocalDate.of(year, 1, 1).toEpochDay() * 86400 + random.nextInt(365 * 86400);
        ZoneOffsetTransition next = zone.getRules().nextTransition(Instant.ofEpochSecond(second));
        if (next != null && random.nextInt(3) == 0) {
            second = next.toEpochSecond() + random.nextInt(4 * 3600) - 2 * 3600;
        }
        int nano = random.nextInt(3) == 0 ? 0 : random.nextInt(1000) * 1000000;
        return Instant.ofEpochSecond(second, nano).atZone(zone);
    }

    // --- parse cases ---

    String separator() {
        return pick(new String[] {" ", "'T'", " ", "", ", "});
    }

    String usualPattern(boolean named) {
        String pattern = pick(DATES) + separator() + pick(TIMES);
        if (random.nextInt(3) > 0) {
            pattern += separator() + (named ? pick(new String[] {"z", "zzzz", "zz", "v", "vvvv"}) : pick(OFFSETS));
        }
        return random.nextInt(6) == 0 ? mutate(pattern, "yMdHmsSaEeGQVXzZp[]'-: ") : pattern;
    }

    String oddPattern() {
        StringBuilder pattern = new StringBuilder();
        for (int i = random.nextInt(6) + 1; i > 0; i--) {
            int count = random.nextInt(3) == 0 ? 1 + random.nextInt(6) : 1 + random.nextInt(2);
            pattern.append(String.valueOf(LETTERS.charAt(random.nextInt(LETTERS.length()))).repeat(count));
            pattern.append(pick(new String[] {"", "", " ", "-", "''", "' '", "[", "]"}));
        }
        return pattern.toString();
    }

    String mutate(String text, String with) {
        StringBuilder changed = new StringBuilder(text);
        int at = random.nextInt(text.length() + 1);
        char c = with.charAt(random.nextInt(with.length()));
        switch (random.nextInt(3)) {
            case 0 -> changed.insert(at, c);
            case 1 -> changed.replace(at, Math.min(at + 1, text.length()), "");
            default -> changed.replace(at, Math.min(at + 1, text.length()), String.valueOf(c));
        }
        return changed.toString();
    }

    /** What time_to_epoch promises on top of DateTimeFormatter: UTC without a zone, the start of the day without a time. */
    static Long millis(String pattern, String text) {
        try {
            DateTimeFormatter formatter = DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH);
            TemporalAccessor parsed = formatter.parse(text);
            LocalDate date = parsed.query(TemporalQueries.localDate());
            LocalTime time = parsed.query(TemporalQueries.localTime());
            if (date == null || (time == null && hasPartOfTime(parsed)) || hasHalfAlone(formatter.parseUnresolved(text, new ParsePosition(0)))) {
                return null;
            }
            ZoneId zone = parsed.query(TemporalQueries.zone());
            if (parsed.isSupported(ChronoField.OFFSET_SECONDS)) {
                zone = ZoneOffset.ofTotalSeconds(parsed.get(ChronoField.OFFSET_SECONDS));
            }
            return date.atTime(time == null ? LocalTime.MIDNIGHT : time).atZone(zone == null ? ZoneOffset.UTC : zone).toInstant().toEpochMilli();
        } catch (RuntimeException e) {
            return null;
        }
    }

    /** AM or PM without an hour: from version 16 on the JDK takes the middle of that half day, before it took no time. */
    static boolean hasHalfAlone(TemporalAccessor parsed) {
        return parsed.isSupported(ChronoField.AMPM_OF_DAY)
                && Stream.of(ChronoField.HOUR_OF_DAY, ChronoField.CLOCK_HOUR_OF_DAY, ChronoField.HOUR_OF_AMPM, ChronoField.CLOCK_HOUR_OF_AMPM, ChronoField.MILLI_OF_DAY, ChronoField.NANO_OF_DAY)
                        .noneMatch(parsed::isSupported);
    }

    static boolean hasPartOfTime(TemporalAccessor parsed) {
        for (ChronoField field : ChronoField.values()) {
            if (field.isTimeBased() && parsed.isSupported(field)) {
                return true;
            }
        }
        return false;
    }

    String parseCase() {
        boolean named = random.nextInt(4) == 0;
        ZonedDateTime at = instant(ZoneId.of(pick(named ? NAMED_ZONES : ZONES)));
        String pattern = random.nextInt(5) == 0 ? oddPattern() : usualPattern(named);
        String text;
        try {
            text = DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).format(at);
        } catch (RuntimeException e) {
            text = at.toString();
        }
        if (random.nextInt(4) == 0) {
            text = mutate(text, "0123456789+-: TZAPM.9");
        }
        if (hasDoubtfulName(pattern, text)) {
            return null;
        }
        return line("parse", pattern, at) + ",\"text\":" + quoted(text) + ",\"millis\":" + millis(pattern, text) + "}";
    }

    /** Names that several zones have ("MT" is Moscow's as well) and that Java takes for another than we do. */
    static boolean hasDoubtfulName(String pattern, String text) {
        if (pattern.indexOf('z') < 0 && pattern.indexOf('v') < 0) {
            return false;
        }
        try {
            ZoneId zone = DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).parse(text).query(TemporalQueries.zone());
            boolean isName = zone != null && !(zone instanceof ZoneOffset) && !text.contains(zone.getId());
            return isName && (text.contains("MT") || !List.of(NAMED_ZONES).contains(zone.getId()));
        } catch (RuntimeException e) {
            return false;
        }
    }

    // --- format cases, in Joda's letters ---

    /** One run of letters of a Joda pattern, as the JDK would write it. */
    static void append(DateTimeFormatterBuilder out, char letter, int count, ZonedDateTime at) {
        switch (letter) {
            case 'G' -> out.appendText(ChronoField.ERA, TextStyle.SHORT);
            case 'C' -> out.appendLiteral(String.format("%0" + count + "d", Math.abs(at.getYear()) / 100));
            case 'y' -> number(out, ChronoField.YEAR, count, at.getYear());
            case 'Y' -> number(out, ChronoField.YEAR_OF_ERA, count, at.getYear());
            case 'x' -> number(out, IsoFields.WEEK_BASED_YEAR, count, at.get(IsoFields.WEEK_BASED_YEAR));
            case 'w' -> out.appendValue(IsoFields.WEEK_OF_WEEK_BASED_YEAR, count, 19, SignStyle.NORMAL);
            case 'e' -> out.appendValue(ChronoField.DAY_OF_WEEK, count, 19, SignStyle.NORMAL);
            case 'E' -> out.appendText(ChronoField.DAY_OF_WEEK, count >= 4 ? TextStyle.FULL : TextStyle.SHORT);
            case 'D' -> out.appendValue(ChronoField.DAY_OF_YEAR, count, 19, SignStyle.NORMAL);
            case 'M' -> {
                if (count >= 3) {
                    out.appendText(ChronoField.MONTH_OF_YEAR, count >= 4 ? TextStyle.FULL : TextStyle.SHORT);
                } else {
                    out.appendValue(ChronoField.MONTH_OF_YEAR, count, 19, SignStyle.NORMAL);
                }
            }
            case 'd' -> out.appendValue(ChronoField.DAY_OF_MONTH, count, 19, SignStyle.NORMAL);
            case 'a' -> out.appendText(ChronoField.AMPM_OF_DAY, TextStyle.SHORT);
            case 'K' -> out.appendValue(ChronoField.HOUR_OF_AMPM, count, 19, SignStyle.NORMAL);
            case 'h' -> out.appendValue(ChronoField.CLOCK_HOUR_OF_AMPM, count, 19, SignStyle.NORMAL);
            case 'H' -> out.appendValue(ChronoField.HOUR_OF_DAY, count, 19, SignStyle.NORMAL);
            case 'k' -> out.appendValue(ChronoField.CLOCK_HOUR_OF_DAY, count, 19, SignStyle.NORMAL);
            case 'm' -> out.appendValue(ChronoField.MINUTE_OF_HOUR, count, 19, SignStyle.NORMAL);
            case 's' -> out.appendValue(ChronoField.SECOND_OF_MINUTE, count, 19, SignStyle.NORMAL);
            case 'S' -> out.appendFraction(ChronoField.NANO_OF_SECOND, count, count, false);
            case 'z' -> out.appendPattern(count >= 4 ? "zzzz" : "z");
            case 'Z' -> out.appendPattern(count == 1 ? "xx" : count == 2 ? "xxx" : "VV");
            default -> throw new IllegalArgumentException();
        }
    }

    /** Two letters of a year are its last two digits. */
    static void number(DateTimeFormatterBuilder out, TemporalField field, int count, int year) {
        if (count == 2) {
            out.appendLiteral(String.format("%02d", Math.abs(year) % 100));
        } else {
            out.appendValue(field, count, 19, SignStyle.NORMAL);
        }
    }

    String formatCase() {
        boolean named = random.nextInt(4) == 0;
        ZonedDateTime at = instant(ZoneId.of(pick(named ? NAMED_ZONES : ZONES)));
        String letters = named && at.getYear() >= 1970 ? "GCxwezEyDMdaKhHkmsSzZ" : "GCxwezEyDMdaKhHkmsSYYZ".replace("z", "");
        if (at.getNano() % 1000000 != 0) {
            throw new IllegalStateException();
        }
        StringBuilder pattern = new StringBuilder();
        DateTimeFormatterBuilder out = new DateTimeFormatterBuilder();
        char before = 0;
        for (int i = 1 + random.nextInt(8); i > 0; i--) {
            char letter = letters.charAt(random.nextInt(letters.length()));
            if (letter == before) {
                continue;
            }
            before = letter;
            int count = 1 + random.nextInt(letter == 'S' ? 9 : 6);
            pattern.append(String.valueOf(letter).repeat(count));
            append(out, letter, count, at);
            String[] literal = pick(new String[][] {{"", ""}, {"-", "-"}, {" 'at' ", " at "}, {"''", "'"}, {": ", ": "}, {"'it''s'", "it's"}});
            pattern.append(literal[0]);
            if (!literal[1].isEmpty()) {
                out.appendLiteral(literal[1]);
                before = 0;
            }
        }
        String text = out.toFormatter(Locale.ENGLISH).format(at);
        return line("format", pattern.toString(), at) + ",\"at\":" + at.toInstant().toEpochMilli() + ",\"text\":" + quoted(text) + "}";
    }

    // --- output ---

    static String line(String kind, String pattern, ZonedDateTime at) {
        return "{\"kind\":\"" + kind + "\",\"pattern\":" + quoted(pattern) + ",\"zone\":\"" + at.getZone() + "\",\"second\":" + at.toEpochSecond()
                + ",\"offset\":" + at.getOffset().getTotalSeconds();
    }

    static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c < 0x20 || c == '"' || c == '\\' || c > 0x7e) {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }

    public static void main(String[] arguments) {
        TimeCases cases = new TimeCases(Long.parseLong(arguments[0]));
        int count = Integer.parseInt(arguments[1]);
        StringBuilder out = new StringBuilder();
        for (int made = 0; made < count; ) {
            String line = cases.parseCase();
            if (line != null) {
                out.append(line).append('\n');
                made++;
            }
        }
        for (int made = 0; made < count; made++) {
            out.append(cases.formatCase()).append('\n');
        }
        System.out.print(out);
    }
}
