//! What keeps secrets from leaving by the operating system's hand: core dumps, swap, files that others read.
//!
//! None is a reason not to start: a container may forbid them, and the log says so.

use std::path::Path;

use rustix::fs::Mode;
#[cfg(target_os = "linux")]
use rustix::mm::{MlockAllFlags, mlockall};
#[cfg(target_os = "linux")]
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};
#[cfg(target_os = "linux")]
use rustix::thread::{CapabilitySet, capabilities};

/// No core dumps, and no other process of the same user that reads this one's memory.
#[cfg(target_os = "linux")]
pub(super) fn keep_from_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let kept = setrlimit(Resource::Core, none)
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
    if let Err(error) = kept {
        tracing::warn!(%error, "core dumps could not be switched off");
    }
}

/// No page of this process is swapped out, once it was touched. Only where there is no limit: beyond one,
/// taking more memory would fail.
#[cfg(target_os = "linux")]
pub(super) fn keep_from_swap() {
    let unlimited = getrlimit(Resource::Memlock).current.is_none();
    let may =
        || capabilities(None).is_ok_and(|held| held.effective.contains(CapabilitySet::IPC_LOCK));
    if !unlimited && !may() {
        tracing::info!(
            "memory is not locked: it needs CAP_IPC_LOCK or an unlimited RLIMIT_MEMLOCK"
        );
        return;
    }
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    if let Err(error) = mlockall(all) {
        tracing::warn!(%error, "memory could not be locked");
    }
}

/// What this process writes is its user's alone, whatever the shell's umask is: sled asks for no mode.
pub(super) fn keep_files_private() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// Says that a file with secrets may be read by everybody on this machine. Its group may have a reason.
pub(super) fn look_at_readers(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).map_or(0, |found| found.permissions().mode());
    if mode & Mode::ROTH.bits() != 0 {
        let path = path.display();
        tracing::warn!(%path, "everybody on this machine may read this file, which has secrets in it");
    }
}

/// Other systems have no such calls.
#[cfg(not(target_os = "linux"))]
pub(super) fn keep_from_dumps() {}

/// Other systems have no such calls.
#[cfg(not(target_os = "linux"))]
pub(super) fn keep_from_swap() {}
