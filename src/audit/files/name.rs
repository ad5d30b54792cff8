//! The files of a log and their names.
//!
//! | path | what |
//! |---|---|
//! | `checkpoint` | the signed head |
//! | `tile/<L>/<N>[.p/<W>]` | hashes: of leaves at level 0, of whole tiles of the level below elsewhere |
//! | `tile/entries/<N>[.p/<W>]` | entries, each u16 length ‖ bytes |
//!
//! `N` is in groups of three digits, all but the last after an `x`: 1234067 is `x001/x234/067`.
//! Source: C2SP tlog-tiles.

/// One file of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogFile {
    /// The signed head.
    Checkpoint,
    /// A bundle of entries.
    Entries {
        /// From 0; the first entry is number 256 times this.
        number: u64,
        /// Entries in it: 1 to 256.
        width: u16,
    },
    /// A tile of hashes.
    Tile {
        /// 0 to 63; in fact 7, as sizes have 64 bits.
        level: u8,
        /// From 0, within the level.
        number: u64,
        /// Hashes in it: 1 to 256.
        width: u16,
    },
}

impl LogFile {
    /// Hashes, or entries, of a whole tile.
    pub const WIDTH: u16 = 256;

    /// Reads a path. There is one for each file: no other spelling is taken.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        if path.len() > MAX_PATH {
            return None;
        }
        let file = match path.strip_prefix("tile/") {
            None => Self::Checkpoint,
            Some(rest) => {
                let (kind, rest) = rest.split_once('/')?;
                let (number, width) = match rest.split_once(".p/") {
                    Some((number, width)) => (number, width.parse().ok()?),
                    None => (rest, Self::WIDTH),
                };
                let number = number.split('/').try_fold(0_u64, |number, group| {
                    let group: u64 = group.strip_prefix('x').unwrap_or(group).parse().ok()?;
                    number.checked_mul(1000)?.checked_add(group)
                })?;
                match kind {
                    "entries" => Self::Entries { number, width },
                    level => Self::Tile { level: level.parse().ok()?, number, width },
                }
            }
        };
        let is_one = match file {
            Self::Checkpoint => true,
            Self::Entries { width, .. } => (1..=Self::WIDTH).contains(&width),
            Self::Tile { level, width, .. } => level < LEVELS && (1..=Self::WIDTH).contains(&width),
        };
        (is_one && file.path() == path).then_some(file)
    }

    /// The path, below wherever the log is.
    #[must_use]
    pub fn path(self) -> String {
        let (kind, number, width) = match self {
            Self::Checkpoint => return "checkpoint".to_owned(),
            Self::Entries { number, width } => ("entries".to_owned(), number, width),
            Self::Tile { level, number, width } => (level.to_string(), number, width),
        };
        let mut groups = format!("{:03}", number % 1000);
        let mut rest = number / 1000;
        while rest > 0 {
            groups = format!("x{:03}/{groups}", rest % 1000);
            rest /= 1000;
        }
        match width {
            Self::WIDTH => format!("tile/{kind}/{groups}"),
            width => format!("tile/{kind}/{groups}.p/{width}"),
        }
    }

    /// Bytes of such a file at the most.
    #[must_use]
    pub const fn max_len(self) -> usize {
        match self {
            Self::Checkpoint => super::super::checkpoint::MAX_NOTE,
            Self::Entries { .. } => 256 * (2 + super::super::event::MAX_LEN),
            Self::Tile { .. } => 256 * 32,
        }
    }

    /// Whether it will never be replaced by a wider one.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        match self {
            Self::Checkpoint => false,
            Self::Entries { width, .. } | Self::Tile { width, .. } => width == Self::WIDTH,
        }
    }
}

/// Levels that C2SP has names for.
const LEVELS: u8 = 64;
/// Bytes of a path at the most: `tile/entries/`, seven groups, `.p/255`.
const MAX_PATH: usize = 13 + 7 * 5 + 6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_the_specifications() {
        let tile = |level, number, width| LogFile::Tile { level, number, width };
        let entries = |number, width| LogFile::Entries { number, width };
        for (path, file) in [
            ("checkpoint", LogFile::Checkpoint),
            ("tile/0/x001/x234/067", tile(0, 1_234_067, 256)),
            ("tile/1/000.p/1", tile(1, 0, 1)),
            ("tile/63/999.p/255", tile(63, 999, 255)),
            ("tile/entries/x001/000", entries(1000, 256)),
            ("tile/entries/273.p/112", entries(273, 112)),
            ("tile/entries/x018/x446/x744/x073/x709/x551/615.p/255", entries(u64::MAX, 255)),
        ] {
            assert_eq!(LogFile::parse(path), Some(file), "{path}");
            assert_eq!(file.path(), path);
        }
        for path in [
            "",
            "checkpoint/",
            "Checkpoint",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "tile/00/000",
            "tile/64/000",
            "tile/-1/000",
            "tile/+1/000",
            "tile/8/0/000",
            "tile/data/000",
            "tile/0/0",
            "tile/0/00",
            "tile/0/0000",
            "tile/0/x000",
            "tile/0/x000/001",
            "tile/0/001/002",
            "tile/0/1000",
            "tile/0/000.p/0",
            "tile/0/000.p/01",
            "tile/0/000.p/256",
            "tile/0/000.p/",
            "tile/0/000.p",
            "tile/0/000.p/1.p/1",
            "tile/entries/../checkpoint",
            "tile/entries/x018/x446/x744/x073/x709/x551/616",
            "../checkpoint",
        ] {
            assert_eq!(LogFile::parse(path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn every_file_has_one_name(
            level in 0..64_u8, number in any::<u64>(), width in 1..=256_u16, bundle in any::<bool>(),
        ) {
            let file = match bundle {
                true => LogFile::Entries { number, width },
                false => LogFile::Tile { level, number, width },
            };
            prop_assert_eq!(LogFile::parse(&file.path()), Some(file));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "(tile/)?[a-z0-9/.x]{0,40}") {
            if let Some(file) = LogFile::parse(&text) {
                prop_assert_eq!(file.path(), text);
            }
        }
    }
}
