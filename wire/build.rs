//! Compiles `proto/wire.proto` with protox, so that no `protoc` is needed on the machine, and writes
//! the table of its fields that `src/frame/shape.rs` holds every frame against.

use std::{env, error::Error, fmt::Write as _, fs, path::Path};

// `google.protobuf.FieldDescriptorProto.Type` and `.Label`, as far as frames use them.
const TYPE_UINT64: i32 = 4;
const TYPE_BOOL: i32 = 8;
const TYPE_MESSAGE: i32 = 11;
const TYPE_BYTES: i32 = 12;
const TYPE_UINT32: i32 = 13;
const LABEL_REPEATED: i32 = 3;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto/wire.proto");
    let descriptors = protox::compile(["proto/wire.proto"], ["proto"])?;

    let mut tables = String::new();
    for message in descriptors.file.iter().flat_map(|file| &file.message_type) {
        writeln!(tables, "pub(super) static {}: &[Field] = &[", table_name(message.name()))?;
        let mut fields: Vec<_> = message.field.iter().collect();
        fields.sort_by_key(|field| field.number());
        for field in fields {
            // Decoding must not allocate more than the frame it was given (spec: WIRE-008).
            if field.label == Some(LABEL_REPEATED) {
                return Err(format!("{}.{} is repeated", message.name(), field.name()).into());
            }
            let kind = match field.r#type {
                Some(TYPE_UINT64) => "Kind::Integer { max: u64::MAX }".to_owned(),
                Some(TYPE_UINT32) => "Kind::Integer { max: u32::MAX as u64 }".to_owned(),
                Some(TYPE_BOOL) => "Kind::Integer { max: 1 }".to_owned(),
                Some(TYPE_BYTES) => "Kind::Bytes".to_owned(),
                Some(TYPE_MESSAGE) => format!("Kind::Message({})", table_name(field.type_name())),
                _ => return Err(format!("{}.{} has no kind", message.name(), field.name()).into()),
            };
            writeln!(tables, "    Field {{ number: {}, kind: {kind} }},", field.number())?;
        }
        writeln!(tables, "];")?;
    }
    fs::write(Path::new(&env::var("OUT_DIR")?).join("shape_tables.rs"), tables)?;

    // `Bytes` for every `bytes` field: decoding slices the frame instead of copying it (spec: WIRE-008).
    prost_build::Config::new().bytes(["."]).compile_fds(descriptors)?;
    Ok(())
}

/// `.hushwire.v1.HelloReply` or `HelloReply` becomes `HELLO_REPLY`.
fn table_name(message: &str) -> String {
    let mut name = String::new();
    for letter in message.rsplit('.').next().unwrap_or_default().chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}
