//! Threads for what takes seconds of a core: making RSA keys, verifying the whole log. There are few of them and they give way, so
//! that no other call waits for one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, OnceLock};
use std::thread;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::Error;

type Job = Box<dyn FnOnce() + Send>;

/// The threads; made when they are first needed, ended with the service.
#[derive(Default)]
pub(super) struct SlowLane(OnceLock<Option<Lane>>);

struct Lane {
    jobs: Mutex<Sender<Job>>,
    waiting: Arc<AtomicUsize>,
}

/// Jobs that wait at the most: minutes of work.
const WAITING: usize = 256;

/// Added to the threads' nice value.
#[cfg(target_os = "linux")]
const GIVE_WAY: i32 = 15;

impl SlowLane {
    /// Runs `work` when its turn has come, unless nobody waits for it any more.
    ///
    /// # Errors
    /// [`Error::Busy`] when too much waits already; [`Error::Internal`] when the threads cannot be made,
    /// or `work` panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let lane = self.0.get_or_init(start).as_ref().ok_or(Error::Internal)?;
        let waiting = Arc::clone(&lane.waiting);
        if waiting.fetch_add(1, Ordering::Relaxed) >= WAITING {
            waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Error::Busy);
        }
        let (done, result) = oneshot::channel();
        let job = Box::new(move || {
            waiting.fetch_sub(1, Ordering::Relaxed);
            if !done.is_closed() {
                let _ = done.send(work()); // the caller may have gone meanwhile
            }
        });
        lane.jobs.lock().send(job).map_err(|_| Error::Internal)?;
        result.await.map_err(|_| Error::Internal)
    }
}

/// Half of the cores, one at the least.
fn start() -> Option<Lane> {
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
    Some(Lane { jobs: Mutex::new(sender), waiting: Arc::default() })
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    // On Linux a thread has a nice value of its own; elsewhere it is the process's.
    #[cfg(target_os = "linux")]
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
        let lost = lane.run(|| -> u8 { panic!("a bug") }).await;
        assert!(matches!(lost, Err(Error::Internal)));
        let both = tokio::join!(lane.run(|| 1), lane.run(|| 2));
        assert!(matches!(both, (Ok(1), Ok(2))));
    }

    /// Until every job has begun.
    async fn drained(lane: &SlowLane) {
        let waiting = || {
            lane.0.get().and_then(Option::as_ref).map(|lane| lane.waiting.load(Ordering::Relaxed))
        };
        while waiting() != Some(0) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn no_more_than_so_many_wait_and_none_that_nobody_waits_for_is_done() {
        let lane = Arc::new(SlowLane::default());
        let done = Arc::new(AtomicUsize::new(0));
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let (release, held) = mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let mut waiting = Vec::new();
        for _ in 0..(cores / 2).max(1) {
            let (lane, held) = (Arc::clone(&lane), Arc::clone(&held));
            waiting.push(tokio::spawn(async move {
                lane.run(move || held.lock().recv().is_ok()).await.is_ok()
            }));
        }
        drained(&lane).await;
        let mut gone = Vec::new();
        for _ in 0..WAITING {
            let (lane, done) = (Arc::clone(&lane), Arc::clone(&done));
            let left = tokio::spawn(async move {
                lane.run(move || done.fetch_add(1, Ordering::Relaxed)).await.is_ok()
            });
            tokio::task::yield_now().await;
            left.abort();
            gone.push(left);
        }
        assert!(matches!(lane.run(|| ()).await, Err(Error::Busy)));
        for left in gone {
            assert!(left.await.unwrap_err().is_cancelled());
        }
        drop(release);
        for job in waiting {
            assert!(job.await.unwrap());
        }
        drained(&lane).await;
        assert!(lane.run(|| ()).await.is_ok());
        assert_eq!(done.load(Ordering::Relaxed), 0);
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
        assert!(matches!(slow.await.unwrap(), Ok(true)));
    }
}
