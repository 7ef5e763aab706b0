//! Compiles `proto/wire.proto` with protox, so that no `protoc` is needed on the machine.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto/wire.proto");
    let descriptors = protox::compile(["proto/wire.proto"], ["proto"])?;
    // `Bytes` for every `bytes` field: decoding slices the frame instead of copying it (spec: WIRE-008).
    prost_build::Config::new().bytes(["."]).compile_fds(descriptors)?;
    Ok(())
}
