//! Compiles `proto/` without `protoc`, and keeps the descriptors for server reflection.

use std::path::PathBuf;
use std::{env, fs};

use protox::prost::Message;

#[expect(clippy::disallowed_methods, reason = "cargo speaks to build scripts by environment")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = ["access", "audit", "data_keys", "keys"]
        .map(|name| format!("proto/strongroom/v1/{name}.proto"));
    let descriptors = protox::compile(files, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptor.bin"), descriptors.encode_to_vec())?;
    let server = env::var_os("CARGO_FEATURE_SERVER").is_some();
    tonic_prost_build::configure().build_server(server).compile_fds(descriptors)?;
    Ok(())
}
