//! `strongroom witness`

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::error::Error;
use super::hardening;
use super::output::say;
use super::serve::told_to_stop;
use crate::config;
use crate::instance::{Given, bind, serve_witness};
use crate::service::{RootKey, WitnessOptions, Witnessing};

/// Sign other logs' checkpoints, as long as each contains the one before (C2SP tlog-witness)
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  strongroom witness key --data-dir /srv/witness          the verifier string, for the logs
  strongroom witness --data-dir /srv/witness --log \"$(strongroom audit key | tail -1)\""
)]
pub(super) struct Witness {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Address; port 0 picks one. Anybody may ask: what is signed has a log's signature already
    /// [default: 127.0.0.1:4567]
    #[arg(long, env = "STRONGROOM_WITNESS_LISTEN", value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Verifier string of a log whose checkpoints are signed; may be given several times, and for one log
    /// with several keys
    #[arg(long = "log", value_name = "VERIFIER")]
    logs: Vec<String>,
    /// Certificate in PEM, its issuers after it [default: one of our own, its CA in tls/ca.pem of the
    /// data directory]
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print the witness's verifier string, which is made at first
    Key(Place),
}

/// Which witness it is.
#[derive(Debug, Args)]
struct Place {
    /// Where its key is kept, and what it has signed [default: ./strongroom-witness]
    #[arg(long, env = "STRONGROOM_WITNESS_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The witness's name; another name is another key [default: one of its own]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// File with the root key, if not in the data directory (or set STRONGROOM_ROOT_KEY)
    #[arg(long, env = "STRONGROOM_ROOT_KEY_FILE", value_name = "FILE")]
    root_key_file: Option<PathBuf>,
    /// TOML with `listen`, `data_dir`, `root_key_file`, `name`, `logs`, `tls_cert` and `tls_key`
    #[arg(long, env = "STRONGROOM_WITNESS_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Witness {
    pub(super) async fn run(self) -> Result<(), Error> {
        hardening::keep_from_swap();
        hardening::keep_files_private();
        if let Some(Verb::Key(place)) = self.verb {
            let file = config::read_witness(place.config.as_deref())?;
            let witness = place.open(&file, Vec::new())?;
            return say(&witness.key().to_string());
        }
        let file = config::read_witness(self.place.config.as_deref())?;
        let logs = if self.logs.is_empty() { file.logs.clone() } else { self.logs };
        let witness = self.place.open(&file, logs)?;
        let certificate = self.tls_cert.or(file.tls_cert).zip(self.tls_key.or(file.tls_key));
        let given = certificate.map(|(certificate, key)| Given { certificate, key });
        let listen = self.listen.or(file.listen).unwrap_or_else(|| ([127, 0, 0, 1], 4567).into());
        let listener = bind(listen).await?;
        let address = listener.local_addr()?;
        let serving = serve_witness(&witness, listener, given.as_ref(), told_to_stop()?)?;
        say(&format!("strongroom witness ready on http://{address}"))?;
        say(&witness.key().to_string())?;
        if witness.witness().logs() == 0 {
            tracing::warn!("no log is known: name some with --log");
        }
        serving.await;
        Ok(())
    }
}

impl Place {
    fn open(
        self,
        file: &config::WitnessFile,
        logs: Vec<String>,
    ) -> Result<std::sync::Arc<Witnessing>, Error> {
        let data_dir = self.data_dir.or_else(|| file.data_dir.clone());
        let key_file = self.root_key_file.or_else(|| file.root_key_file.clone());
        key_file.iter().for_each(|path| hardening::look_at_readers(path));
        let root_key = config::root_key(key_file.as_deref())?;
        Ok(Witnessing::open(&WitnessOptions {
            data_dir: data_dir.unwrap_or_else(|| "strongroom-witness".into()),
            root_key: root_key.map(|(text, from)| RootKey::new(text, from)),
            name: self.name.or_else(|| file.name.clone()),
            logs,
            ..WitnessOptions::default()
        })?)
    }
}
