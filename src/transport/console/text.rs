//! Names, sizes, times and badges as they are shown.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use maud::{Markup, html};

use super::fields::link;
use crate::sse::Mode;

/// A name that others chose, with what cannot be seen, or would turn what follows around, written out.
/// Escaping it for HTML is the template's.
pub(super) fn shown(name: &str) -> Cow<'_, str> {
    let hides = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
    };
    if !name.contains(hides) {
        return Cow::Borrowed(name);
    }
    let escaped = name.chars().map(|letter| match hides(letter) {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    });
    Cow::Owned(escaped.collect())
}

/// The same of a text of several lines.
pub(super) fn lines(text: &str) -> String {
    text.lines().map(shown).collect::<Vec<_>>().join("\n")
}

/// The same in an element of its own, so that its direction is its own, too.
pub(super) fn name(name: &str) -> Markup {
    html! { bdi { (shown(name)) } }
}

/// `1.5 KB` and the like, with the exact number of bytes beside it.
pub(super) fn size(bytes: u64) -> Markup {
    let exact = format!("{bytes} bytes");
    let mut unit = ("B", 1_u64);
    for next in [("KB", 1 << 10), ("MB", 1 << 20), ("GB", 1 << 30), ("TB", 1 << 40)] {
        if bytes >= next.1 {
            unit = next;
        }
    }
    let tenths = u128::from(bytes) * 10 / u128::from(unit.1);
    let brief = match unit.1 {
        1 => format!("{bytes} B"),
        _ => format!("{}.{} {}", tenths / 10, tenths % 10, unit.0),
    };
    html! { data value=(bytes) title=(exact) { (brief) } }
}

/// A time, in UTC.
pub(super) fn time(at: DateTime<Utc>) -> Markup {
    let machine = at.to_rfc3339_opts(SecondsFormat::Micros, true);
    html! { time datetime=(machine) { (at.format("%Y-%m-%d %H:%M:%S").to_string()) " UTC" } }
}

/// What an encryption is called, on AWS's console, too.
pub(super) const fn mode(mode: Option<Mode>) -> &'static str {
    match mode {
        None => "Not encrypted",
        Some(Mode::S3) => "SSE-S3",
        Some(Mode::Kms) => "SSE-KMS",
        Some(Mode::Dsse) => "DSSE-KMS",
        Some(Mode::Customer) => "SSE-C",
    }
}

/// What an encryption is, at a glance; its words say it without its colour.
pub(super) fn badge(of: Option<Mode>) -> Markup {
    match of {
        None => html! { span.badge.badge-bad { (mode(of)) } },
        Some(_) => html! { span.badge.badge-good { (mode(of)) } },
    }
}

/// To a record of the trail.
pub(super) fn record_link(index: u64) -> Markup {
    let to = link("/_strongroom/trail/record", &[("index", &index.to_string())]);
    html! { a.record href=(to) { "record " (index) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_they_are_and_harmless() {
        for (given, wanted) in [
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("\"quoted\" & 'so'", "&quot;quoted&quot; &amp; 'so'"),
            ("../..", "../.."),
            ("日本/ü", "日本/ü"),
            ("a\u{202E}gpj.exe", "a\\u{202e}gpj.exe"),
            ("line\nend\0", "line\\nend\\u{0}"),
        ] {
            assert_eq!(name(given).into_string(), format!("<bdi>{wanted}</bdi>"));
        }
    }

    #[test]
    fn sizes_have_the_unit_that_they_reach() {
        for (bytes, wanted) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KB"),
            (1536, "1.5 KB"),
            (5 << 20, "5.0 MB"),
            (u64::MAX, "16777215.9 TB"),
        ] {
            assert!(size(bytes).into_string().contains(&format!(">{wanted}<")), "{bytes}");
        }
    }
}
