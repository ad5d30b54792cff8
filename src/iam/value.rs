//! What texts mean to the operators that compare more than text: numbers, dates, ranges of addresses.
//!
//! The same readers read documents, where what cannot be read is its author's mistake, and calls,
//! where it compares with nothing. Addresses are `core`'s, which has no sockets.
//!
//! Source: IAM User Guide, "IAM JSON policy elements: Condition operators"; W3C, "Date and Time
//! Formats"; RFC 4632 and RFC 4291 (prefixes).

use core::net::IpAddr;
use std::cmp::Ordering;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

/// An integer or decimal number of any length, compared exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number {
    negative: bool,
    /// Digits without leading zeros.
    whole: String,
    /// Digits without trailing zeros.
    fraction: String,
}

impl Number {
    /// Reads `7`, `-7` or `7.25`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        if !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let zero = whole.is_empty() && fraction.is_empty();
        Some(Self {
            negative: negative && !zero,
            whole: whole.to_owned(),
            fraction: fraction.to_owned(),
        })
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = |one: &Self, other: &Self| {
            (one.whole.len(), &one.whole, &one.fraction).cmp(&(
                other.whole.len(),
                &other.whole,
                &other.fraction,
            ))
        };
        match (self.negative, other.negative) {
            (false, false) => size(self, other),
            (true, true) => size(other, self),
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Reads a date: `2026-11`, `2026-11-25`, `2026-11-25T08:30Z`, with seconds, fractions of them and
/// an offset in place of `Z`; or seconds since 1970. Digits alone are seconds, four of them too: the
/// year alone, which W3C has, would be ambiguous.
pub(super) fn date(text: &str) -> Option<DateTime<Utc>> {
    if is_digits(text.strip_prefix('-').unwrap_or(text)) {
        return DateTime::from_timestamp(text.parse().ok()?, 0);
    }
    let (day, clock) = match text.split_once('T') {
        Some((day, clock)) => (day, Some(clock)),
        None => (text, None),
    };
    let mut fields = day.split('-');
    let year = i32::try_from(number(fields.next()?, 4)?).ok()?;
    let month = number(fields.next()?, 2)?;
    let day = fields.next().map(|text| number(text, 2));
    if fields.next().is_some() || day == Some(None) || (day.is_none() && clock.is_some()) {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(year, month, day.flatten().unwrap_or(1))?;
    let (time, offset) = clock.map_or(Some((NaiveTime::MIN, TimeDelta::zero())), time)?;
    date.and_time(time).and_utc().checked_sub_signed(offset)
}

/// Reads `08:30:00.5+01:00`: the time of day, and how much it is ahead of UTC.
fn time(text: &str) -> Option<(NaiveTime, TimeDelta)> {
    let (clock, offset) = match text.strip_suffix('Z') {
        Some(clock) => (clock, TimeDelta::zero()),
        None => {
            let (clock, zone) = text.split_at_checked(text.rfind(['+', '-'])?)?;
            let (hours, minutes) = zone.get(1..)?.split_once(':')?;
            let zone_time = NaiveTime::from_hms_opt(number(hours, 2)?, number(minutes, 2)?, 0)?;
            let ahead = zone_time - NaiveTime::MIN;
            (clock, if zone.starts_with('-') { -ahead } else { ahead })
        }
    };
    let mut fields = clock.split(':');
    let (hours, minutes) = (number(fields.next()?, 2)?, number(fields.next()?, 2)?);
    let (seconds, fraction) = match fields.next() {
        Some(text) => text.split_once('.').unwrap_or((text, "0")),
        None => ("00", "0"),
    };
    if fields.next().is_some() || !is_digits(fraction) || fraction.len() > NANOSECOND_DIGITS {
        return None;
    }
    let nanoseconds = format!("{fraction:0<NANOSECOND_DIGITS$}").parse().ok()?;
    let time = NaiveTime::from_hms_nano_opt(hours, minutes, number(seconds, 2)?, nanoseconds)?;
    Some((time, offset))
}

/// Addresses that begin alike: `203.0.113.0/24`, `2001:db8::/32`, or one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Range {
    network: IpAddr,
    prefix: u32,
}

impl Range {
    /// Reads a range. Bits of the address beyond the prefix count for nothing. Without a prefix it is
    /// the address alone; AWS's default is documented as `/32`, which of an IPv6 address would be 2⁹⁶
    /// others: that is not followed.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let network: IpAddr = address.parse().ok()?;
        let longest = if network.is_ipv4() { u32::BITS } else { u128::BITS };
        let prefix = match prefix {
            Some(digits) if is_digits(digits) => digits.parse().ok()?,
            Some(_) => return None,
            None => longest,
        };
        (prefix <= longest).then_some(Self { network, prefix })
    }

    /// Whether an address is in the range. An IPv4 address that is written as an IPv6 one is either.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.begins(address) || self.begins(address.to_canonical())
    }

    fn begins(&self, address: IpAddr) -> bool {
        match (self.network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.checked_shr(u32::BITS - self.prefix).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.checked_shr(u128::BITS - self.prefix).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// Reads `true` or `false`, in any case.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number of exactly so many digits.
fn number(text: &str, digits: usize) -> Option<u32> {
    (text.len() == digits && is_digits(text)).then(|| text.parse().ok()).flatten()
}

/// Digits of a second's fraction at the most.
const NANOSECOND_DIGITS: usize = 9;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_compared_as_they_are_written() {
        let ascending = [
            "-9007199254740993",
            "-9007199254740992",
            "-10",
            "-9.5",
            "-0.25",
            "0",
            "0.09",
            "0.1",
            "1",
            "9",
            "10",
            "10.01",
            "9007199254740992",
            "9007199254740993",
        ];
        for (at, one) in ascending.iter().enumerate() {
            for (other_at, other) in ascending.iter().enumerate() {
                let (one, other) = (Number::parse(one).unwrap(), Number::parse(other).unwrap());
                assert_eq!(one.cmp(&other), at.cmp(&other_at), "{one:?} {other:?}");
            }
        }
        for (one, other) in [("07", "7.0"), ("-0", "0"), ("1.50", "1.5")] {
            assert_eq!(Number::parse(one), Number::parse(other));
        }
        for text in ["", "-", ".", "1.", ".5", "+1", "1e3", "0x1", "1 ", "--1", "1.2.3", "٣"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn dates_are_those_of_w3c_and_seconds() {
        for (text, seconds) in [
            ("0", 0),
            ("1764057600", 1_764_057_600),
            ("-1", -1),
            ("2026", 2026),
            ("1970-01", 0),
            ("1970-01-02", 86_400),
            ("1970-01-01T00:01Z", 60),
            ("1970-01-01T01:00:07+01:00", 7),
            ("1969-12-31T19:00:07.5-05:00", 7),
            ("2026-11-25T08:30:00Z", 1_795_595_400),
        ] {
            assert_eq!(date(text).map(|date| date.timestamp()), Some(seconds), "{text}");
        }
        let exact = date("1970-01-01T00:00:00.000000001Z").unwrap();
        assert_eq!(exact.timestamp_nanos_opt(), Some(1));
        for text in [
            "",
            "-",
            "now",
            "70-01-01",
            "1970-1-1",
            "1970-13-01",
            "1970-02-30",
            "1970-01-01-01",
            "1970-01T00:00Z",
            "1970-01-01T",
            "1970-01-01T00:00",
            "1970-01-01T00:00:00",
            "1970-01-01T24:00Z",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00.0000000001Z",
            "1970-01-01T00:00:00:00Z",
            "1970-01-01T00:00+24:00",
            "1970-01-01T00:00+é:00",
            "1970-01-01t00:00z",
            "99999999999999999999",
            "*",
        ] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn ranges_hold_what_begins_alike() {
        for (range, address, expected) in [
            ("203.0.113.0/24", "203.0.113.255", true),
            ("203.0.113.77/24", "203.0.113.1", true),
            ("203.0.113.0/24", "203.0.114.0", false),
            ("203.0.113.9", "203.0.113.9", true),
            ("203.0.113.9", "203.0.113.8", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:DB8:1234:5678::/64", "2001:db8:1234:5678:ffff::", true),
            ("2001:DB8:1234:5678::/64", "2001:db8:1234:5679::", false),
            ("2001:db8::1", "2001:db8::1", true),
            ("2001:db8::1", "2001:db8::2", false),
            ("203.0.113.0/24", "::ffff:203.0.113.9", true),
            ("::ffff:203.0.113.0/120", "::ffff:203.0.113.9", true),
        ] {
            let found = Range::parse(range).unwrap().contains(address.parse().unwrap());
            assert_eq!(found, expected, "{range} {address}");
        }
        for text in ["", "/", "1.2.3", "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/+8", "::/129", "1.2.3.*"]
        {
            assert_eq!(Range::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn numbers_are_ordered_as_integers_are(one in any::<i64>(), other in any::<i64>()) {
            let read = |value: i64| Number::parse(&value.to_string()).unwrap();
            prop_assert_eq!(read(one).cmp(&read(other)), one.cmp(&other));
        }

        #[test]
        fn dates_are_read_as_they_are_printed(seconds in -60_000_000_000_i64..250_000_000_000) {
            let printed = DateTime::from_timestamp(seconds, 0).unwrap().to_rfc3339();
            prop_assert_eq!(date(&printed).map(|date| date.timestamp()), Some(seconds));
        }

        #[test]
        fn a_range_is_its_first_bits(network in any::<u32>(), address in any::<u32>(), prefix in 0_u32..=32) {
            let (v4, found) = (IpAddr::V4(network.into()), IpAddr::V4(address.into()));
            let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            let range = Range::parse(&format!("{v4}/{prefix}")).unwrap();
            prop_assert_eq!(range.contains(found), network & mask == address & mask);
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in "[-+0-9TZ:./eé]{0,30}") {
            let _ = (Number::parse(&text), date(&text), Range::parse(&text), boolean(&text));
        }
    }
}
