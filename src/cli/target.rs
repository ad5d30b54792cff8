//! A file that takes its place when it is whole: until then it has no name that anybody looks at, and
//! nothing is left of it when its command fails.

use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use tempfile::NamedTempFile;
use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufWriter};

use super::error::Error;

/// A file in the making.
#[derive(Debug)]
pub(super) struct Target {
    unnamed: NamedTempFile,
    place: PathBuf,
    /// What its content goes through.
    pub(super) writer: BufWriter<File>,
}

impl Target {
    /// Begins a file in the folder of its place.
    pub(super) fn new(place: &Path) -> Result<Self, Error> {
        let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| Path::new("."));
        let unnamed =
            NamedTempFile::new_in(folder).map_err(Error::file("creating a file in", folder))?;
        let file = unnamed.reopen().map_err(Error::file("opening", place))?;
        let writer = BufWriter::with_capacity(FILE_BUFFER, File::from_std(file));
        Ok(Self { unnamed, place: place.to_owned(), writer })
    }

    /// One with this content, not yet in its place.
    pub(super) async fn with(place: &Path, content: &[u8]) -> Result<Self, Error> {
        let mut target = Self::new(place)?;
        target.writer.write_all(content).await.map_err(Error::file("writing", place))?;
        Ok(target)
    }

    /// Puts it in its place, on the disk.
    pub(super) async fn keep(self) -> Result<(), Error> {
        let Self { unnamed, place, mut writer } = self;
        writer.flush().await.map_err(Error::file("writing", &place))?;
        writer.into_inner().sync_all().await.map_err(Error::file("writing", &place))?;
        unnamed.persist(&place).map_err(|error| Error::file("writing", &place)(error.error))?;
        Ok(())
    }
}

/// Drawn only when standard error is a terminal.
pub(super) fn progress(length: u64, verb: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(length).with_message(verb);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}")
    {
        bar.set_style(style);
    }
    bar
}

const FILE_BUFFER: usize = 256 * 1024;
