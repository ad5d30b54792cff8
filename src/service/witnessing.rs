//! The witness that strongroom is to other logs: a folder, the time, what watchers see.

use std::path::PathBuf;
use std::sync::Arc;

use super::Error;
use super::hall::RootKey;
use super::metrics::Metrics;
use crate::audit::{CosignatureKey, Refusal, Witness};
use crate::clock::Clock;

/// How to open a witness.
#[derive(Debug, Default)]
pub struct WitnessOptions {
    /// Where its key is and what it has signed.
    pub data_dir: PathBuf,
    /// The root key, if it is given; `root.key` in the data directory otherwise.
    pub root_key: Option<RootKey>,
    /// The witness's name, if it is not to be derived.
    pub name: Option<String>,
    /// C2SP verifier strings of the logs whose checkpoints are signed.
    pub logs: Vec<String>,
    /// Where the time comes from.
    pub clock: Clock,
}

/// A witness that is open.
#[derive(Debug)]
pub struct Witnessing {
    witness: Witness,
    clock: Clock,
    metrics: Arc<Metrics>,
}

impl Witnessing {
    /// Opens or makes a witness.
    ///
    /// # Errors
    /// [`Error::Audit`], when anything is not as it was left.
    pub fn open(options: &WitnessOptions) -> Result<Arc<Self>, Error> {
        let root_key = options.root_key.as_ref().map(RootKey::expose);
        let name = options.name.as_deref();
        let witness = Witness::open(&options.data_dir, root_key, name, &options.logs)?;
        let metrics = Arc::new(Metrics::new());
        Ok(Arc::new(Self { witness, clock: options.clock.clone(), metrics }))
    }

    /// The witness itself.
    #[must_use]
    pub const fn witness(&self) -> &Witness {
        &self.witness
    }

    /// What verifies its cosignatures.
    #[must_use]
    pub const fn key(&self) -> &CosignatureKey {
        self.witness.key()
    }

    /// What watchers see.
    #[must_use]
    pub const fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Signs a checkpoint, as [`Witness::add_checkpoint`], on a thread that may wait for the disk.
    ///
    /// # Errors
    /// [`Refusal`]; what it says of a log that is not what it was is logged.
    pub async fn add_checkpoint(
        self: &Arc<Self>,
        body: impl AsRef<[u8]> + Send + 'static,
    ) -> Result<Vec<u8>, Refusal> {
        let this = Arc::clone(self);
        let time = u64::try_from(self.clock.now().timestamp()).unwrap_or_default();
        let sign = move || this.witness.add_checkpoint(body.as_ref(), time);
        let signed = tokio::task::spawn_blocking(sign).await.unwrap_or(Err(Refusal::Stopped));
        match &signed {
            Ok(_) => tracing::info!("a checkpoint was signed"),
            // Whoever has a checkpoint of the log can send it with a proof that is none: no alarm.
            Err(refusal @ Refusal::Inconsistent { .. }) => {
                tracing::warn!(%refusal, "a checkpoint was not signed");
            }
            Err(Refusal::Store(_) | Refusal::Stopped) => {
                tracing::error!(refusal = ?signed, "a checkpoint was not signed");
            }
            Err(refusal) => tracing::info!(%refusal, "a checkpoint was not signed"),
        }
        signed
    }
}
