//! Threads for what takes seconds of a core: making RSA keys. There are few of them and they give way, so
//! that no other call waits for one.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, OnceLock};
use std::thread;

use parking_lot::Mutex;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// The threads; made when they are first needed, ended with the service.
#[derive(Default)]
pub(super) struct SlowLane(OnceLock<Option<Mutex<Sender<Job>>>>);

/// Added to the threads' nice value.
const GIVE_WAY: i32 = 15;

impl SlowLane {
    /// Runs `work` when its turn has come; none when the threads cannot be made or it panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (done, result) = oneshot::channel();
        let job = Box::new(move || {
            let _ = done.send(work()); // the caller may have gone
        });
        self.0.get_or_init(start).as_ref()?.lock().send(job).ok()?;
        result.await.ok()
    }
}

/// Half of the cores, one at the least.
fn start() -> Option<Mutex<Sender<Job>>> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let (sender, receiver) = mpsc::channel();
    let receiver = Arc::new(Mutex::new(receiver));
    for number in 0..(cores / 2).max(1) {
        let receiver = Arc::clone(&receiver);
        let thread = thread::Builder::new().name(format!("slow-{number}"));
        if let Err(error) = thread.spawn(move || work(&receiver)) {
            tracing::error!(%error, "a thread for slow calls could not be made");
            return None;
        }
    }
    Some(Mutex::new(sender))
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    // On Linux a thread has a nice value of its own.
    if let Err(error) = rustix::process::nice(GIVE_WAY) {
        tracing::debug!(%error, "slow calls run with the priority of all others");
    }
    loop {
        let job = jobs.lock().recv();
        let Ok(job) = job else { return };
        // A panic ends its call, which is answered as an internal error, and not the lane.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
    }
}

impl std::fmt::Debug for SlowLane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SlowLane")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn work_is_done_in_turn_also_after_a_panic() {
        let lane = SlowLane::default();
        assert_eq!(lane.run(|| -> u8 { panic!("a bug") }).await, None);
        let both = tokio::join!(lane.run(|| 1), lane.run(|| 2));
        assert_eq!(both, (Some(1), Some(2)));
    }

    #[tokio::test]
    async fn others_go_on_meanwhile() {
        let lane = Arc::new(SlowLane::default());
        let (release, held) = mpsc::channel::<()>();
        let slow = Arc::clone(&lane);
        let slow = tokio::spawn(async move { slow.run(move || held.recv().is_ok()).await });
        tokio::time::timeout(Duration::from_secs(5), tokio::task::yield_now()).await.unwrap();
        assert!(!slow.is_finished());
        release.send(()).unwrap();
        assert_eq!(slow.await.unwrap(), Some(true));
    }
}
