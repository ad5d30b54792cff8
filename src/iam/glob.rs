//! Wildcards: `*` is any text, `?` any one character, and the rest is itself.
//!
//! Invariant: what a match costs grows with the length of the text, whatever the wildcards. The
//! pieces between stars are found from left to right, each at its first place after the one before,
//! and nothing is looked at twice: the first place leaves the most text for the rest, so no other
//! place can do better. A piece of plain text is found by `memmem`, which is linear at the worst; one
//! with `?` by a bit-parallel automaton, one step a byte for every 64 bytes of the piece, or, when it is
//! of a few symbols, by being tried at each place. Both ends are compared in place.
//!
//! Source: the automaton is Shift-And (R. Baeza-Yates and G. Gonnet, "A new approach to text
//! searching", 1992) with classes of characters, over the bytes of UTF-8.

use memchr::memmem;

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// `*`
    Any,
    /// Itself.
    Literal(String),
    /// `?`
    One,
}

/// Adds a token to a pattern, so that no literal is empty or next to another.
pub(super) fn push(tokens: &mut Vec<Token>, token: Token) {
    match token {
        Token::Literal(text) if text.is_empty() => {}
        Token::Literal(text) => match tokens.last_mut() {
            Some(Token::Literal(before)) => before.push_str(&text),
            _ => tokens.push(Token::Literal(text)),
        },
        token => tokens.push(token),
    }
}

/// Whether the whole text is as the pattern says. Allocates nothing unless there is a `?` between
/// two stars.
pub(super) fn matches(tokens: &[Token], text: &str) -> bool {
    tokens == [Token::Any] || search(tokens, text, &mut |_| ())
}

/// The same without regard to the case of ASCII's letters, which is all that names of actions have.
/// Allocates nothing for plain text, `*` and `prefix*`.
pub(super) fn matches_ignoring_case(tokens: &[Token], text: &str) -> bool {
    match tokens {
        [Token::Any] => true,
        [Token::Literal(whole)] => text.eq_ignore_ascii_case(whole),
        [Token::Literal(start), Token::Any] => {
            begins_ignoring_case(start.as_bytes(), text.as_bytes())
        }
        tokens => {
            let tokens: Vec<Token> = tokens
                .iter()
                .map(|token| match token {
                    Token::Literal(text) => Token::Literal(text.to_ascii_lowercase()),
                    token => token.clone(),
                })
                .collect();
            matches(&tokens, &text.to_ascii_lowercase())
        }
    }
}

/// The last byte is compared first: names of one service begin alike.
fn begins_ignoring_case(start: &[u8], text: &[u8]) -> bool {
    text.get(..start.len()).is_some_and(|text| {
        let last = start.last().zip(text.last());
        last.is_none_or(|(one, other)| one.eq_ignore_ascii_case(other))
            && text.eq_ignore_ascii_case(start)
    })
}

/// Whether two texts differ in the case of letters at the most.
pub(super) fn equal_ignoring_case(one: &str, other: &str) -> bool {
    if one.is_ascii() && other.is_ascii() {
        return one.eq_ignore_ascii_case(other);
    }
    one.chars().map(fold).eq(other.chars().map(fold))
}

/// A letter in lower case, if that is one letter: a text keeps its number of characters.
fn fold(letter: char) -> char {
    let mut lower = letter.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) => one,
        _ => letter,
    }
}

/// `spent` is told of the work done between the ends, in bytes of text, places of short pieces or words of
/// automata.
fn search(tokens: &[Token], text: &str, spent: &mut impl FnMut(usize)) -> bool {
    let mut pieces = tokens.split(|token| *token == Token::Any);
    let Some(mut rest) = pieces.next().and_then(|first| after_start(first, text)) else {
        return false;
    };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        let found = match piece {
            [] => Some(rest),
            [Token::Literal(plain)] => after_plain(plain, rest, spent),
            piece if symbols(piece) <= SHORT => after_short(piece, rest, spent),
            piece => after_gapped(piece, rest, spent),
        };
        let Some(left) = found else { return false };
        rest = left;
    }
    before_end(last, rest).is_some()
}

/// What follows the piece, if the text begins with it.
fn after_start<'text>(piece: &[Token], mut text: &'text str) -> Option<&'text str> {
    for token in piece {
        text = match token {
            Token::Literal(plain) => text.strip_prefix(plain.as_str())?,
            Token::Any | Token::One => {
                let mut letters = text.chars();
                letters.next()?;
                letters.as_str()
            }
        };
    }
    Some(text)
}

/// What precedes the piece, if the text ends with it.
fn before_end<'text>(piece: &[Token], mut text: &'text str) -> Option<&'text str> {
    for token in piece.iter().rev() {
        text = match token {
            Token::Literal(plain) => text.strip_suffix(plain.as_str())?,
            Token::Any | Token::One => {
                let mut letters = text.chars();
                letters.next_back()?;
                letters.as_str()
            }
        };
    }
    Some(text)
}

/// What follows the first place of a plain text.
fn after_plain<'text>(
    plain: &str,
    text: &'text str,
    spent: &mut impl FnMut(usize),
) -> Option<&'text str> {
    let end = memmem::find(text.as_bytes(), plain.as_bytes()).map(|start| start + plain.len());
    spent(end.unwrap_or(text.len()));
    text.get(end?..)
}

/// What follows the first place of a piece of few symbols, which is tried at each.
fn after_short<'text>(
    piece: &[Token],
    text: &'text str,
    spent: &mut impl FnMut(usize),
) -> Option<&'text str> {
    text.char_indices().find_map(|(start, _)| {
        spent(1);
        after_start(piece, text.get(start..)?)
    })
}

/// Bytes and `?` of a piece.
fn symbols(piece: &[Token]) -> usize {
    let of = |token: &Token| match token {
        Token::Literal(plain) => plain.len(),
        Token::Any | Token::One => 1,
    };
    piece.iter().map(of).sum()
}

/// What follows the first place of a piece with `?`.
///
/// Bit *n* of `state` says that the text up to here ends with the first *n* + 1 symbols of the
/// piece. A symbol is a byte or a whole character: a `?` is entered by a character's first byte and
/// stays until its last.
fn after_gapped<'text>(
    piece: &[Token],
    text: &'text str,
    spent: &mut impl FnMut(usize),
) -> Option<&'text str> {
    let mut symbols: Vec<Option<u8>> = Vec::new();
    for token in piece {
        match token {
            Token::Literal(plain) => symbols.extend(plain.bytes().map(Some)),
            Token::Any | Token::One => symbols.push(None),
        }
    }
    let words = symbols.len().div_ceil(WORD);
    let end = 1_u64 << (symbols.len().checked_sub(1)? % WORD);
    let mut gaps = vec![0_u64; words];
    let mut masks = vec![0_u64; words * BYTES];
    for (at, symbol) in symbols.iter().enumerate() {
        let slot = match symbol {
            Some(byte) => masks.get_mut(usize::from(*byte) * words + at / WORD),
            None => gaps.get_mut(at / WORD),
        };
        *slot? |= 1 << (at % WORD);
    }
    for (byte, mask) in (0..=u8::MAX).zip(masks.chunks_exact_mut(words)) {
        if !continues(byte) {
            mask.iter_mut().zip(&gaps).for_each(|(bits, gaps)| *bits |= gaps);
        }
    }
    let mut state = vec![0_u64; words];
    for (at, byte) in text.bytes().enumerate() {
        let mask = masks.chunks_exact(words).nth(usize::from(byte))?;
        let stays = if continues(byte) { u64::MAX } else { 0 };
        let mut carried = 1;
        for ((bits, mask), gaps) in state.iter_mut().zip(mask).zip(&gaps) {
            let moved = (*bits << 1) | carried;
            carried = *bits >> (WORD - 1);
            *bits = (moved & mask) | (*bits & gaps & stays);
        }
        spent(words);
        if state.last().is_some_and(|bits| bits & end != 0) && text.is_char_boundary(at + 1) {
            return text.get(at + 1..);
        }
    }
    None
}

/// Whether a byte of UTF-8 is not the first of its character.
fn continues(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// Symbols up to which trying a piece at each place costs less than an automaton.
const SHORT: usize = 8;

/// Bits in a word of the automaton.
const WORD: usize = 64;

/// How many values a byte has.
const BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tokens(pattern: &str) -> Vec<Token> {
        let mut tokens = Vec::new();
        for letter in pattern.chars() {
            let token = match letter {
                '*' => Token::Any,
                '?' => Token::One,
                letter => Token::Literal(letter.to_string()),
            };
            push(&mut tokens, token);
        }
        tokens
    }

    fn slow(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), None) => slow(rest, text),
            (Some(('*', rest)), Some((_, tail))) => slow(rest, text) || slow(pattern, tail),
            (Some(('?', rest)), Some((_, tail))) => slow(rest, tail),
            (Some((want, rest)), Some((have, tail))) => want == have && slow(rest, tail),
            _ => false,
        }
    }

    fn work(pattern: &str, text: &str) -> (bool, usize) {
        let mut sum = 0;
        let found = search(&tokens(pattern), text, &mut |step| sum += step);
        (found, sum)
    }

    #[test]
    fn wildcards_stand_for_text_and_characters() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("**", "anything", true),
            ("?", "é", true),
            ("?", "", false),
            ("??", "é", false),
            ("a*", "a", true),
            ("a*a", "a", false),
            ("*ab*ab*", "abab", true),
            ("*ab*ab", "ab", false),
            ("*a?c*", "xxaéc", true),
            ("*a?c*", "aac", true),
            ("*?é?*", "éé", false),
            ("*?é?*", "ééé", true),
            ("ab*cd?", "abcdcde", true),
        ] {
            assert_eq!(matches(&tokens(pattern), text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn case_can_be_ignored_in_every_form() {
        for pattern in ["kms:decrypt", "KMS:DEC*", "*:Decrypt", "k?s:*CRYP?", "*E?R*", "*"] {
            assert!(matches_ignoring_case(&tokens(pattern), "kms:Decrypt"), "{pattern}");
        }
        for pattern in ["kms:decryp", "KMS:DECRYPTED*", "?kms:*", "*z*"] {
            assert!(!matches_ignoring_case(&tokens(pattern), "kms:Decrypt"), "{pattern}");
        }
        assert!(matches_ignoring_case(&tokens("É?*"), "Éa"));
        assert!(!matches_ignoring_case(&tokens("É?*"), "éa"));
        assert!(equal_ignoring_case("ÉQUIPE", "équipe"));
        assert!(!equal_ignoring_case("i\u{307}", "İ"));
    }

    #[test]
    fn no_wildcards_make_the_text_be_read_twice() {
        let text = "a".repeat(10_000);
        let plain = "*aaaaaaaaab".repeat(50) + "*";
        let (found, sum) = work(&plain, &text);
        assert!(!found && sum <= text.len());
        let stars = "*a".repeat(5_000) + "*b*";
        let (found, sum) = work(&stars, &text);
        assert!(!found && sum <= text.len());
        // 63 symbols are one word; 640 are ten.
        let gapped = format!("*{}b", "?".repeat(62)).repeat(20) + "*";
        let (found, sum) = work(&gapped, &text);
        assert!(!found && sum <= text.len());
        let short = "*a?b".repeat(2_000) + "*";
        let (found, sum) = work(&short, &text);
        assert!(!found && sum <= text.len());
        let long = format!("*{}b*", "a?".repeat(319));
        let (found, sum) = work(&long, &text);
        assert!(!found && sum <= 10 * text.len());
    }

    proptest! {
        #[test]
        fn wildcards_match_as_a_slow_matcher_does(pattern in "[abé*?]{0,8}", text in "[abé]{0,9}") {
            let (wanted, have): (Vec<char>, Vec<char>) =
                (pattern.chars().collect(), text.chars().collect());
            let expected = slow(&wanted, &have);
            prop_assert_eq!(matches(&tokens(&pattern), &text), expected);
            let upper = text.to_ascii_uppercase();
            prop_assert_eq!(matches_ignoring_case(&tokens(&pattern), &upper), expected);
            prop_assert!(work(&pattern, &text).1 <= text.len());
        }

        #[test]
        fn long_pieces_are_found_where_they_are(
            start in "[ab]{0,90}", piece in "[ab]{60,140}", end in "[ab]{0,90}",
            gap in 0_usize..60, at in 0_usize..200,
        ) {
            let mut pattern: Vec<char> = piece.chars().collect();
            pattern[gap] = '?';
            let pattern = format!("*{}*", pattern.iter().collect::<String>());
            let text = format!("{start}{piece}{end}");
            prop_assert!(matches(&tokens(&pattern), &text));
            let other = start.chars().count() + (gap + 1 + at % (piece.len() - 1)) % piece.len();
            let mut have: Vec<char> = text.chars().collect();
            have[other] = if have[other] == 'a' { 'é' } else { 'a' };
            let (changed, wanted) = (have.iter().collect::<String>(), pattern.chars().collect::<Vec<_>>());
            prop_assert_eq!(matches(&tokens(&pattern), &changed), slow(&wanted, &have));
        }

        #[test]
        fn no_pattern_and_no_text_panic(pattern in ".{0,40}", text in ".{0,80}") {
            let _ = matches(&tokens(&pattern), &text);
            let _ = matches_ignoring_case(&tokens(&pattern), &text);
        }
    }
}
