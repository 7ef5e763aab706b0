//! Protobuf by hand, so that messages can be wrong.

/// A field with what stands in it.
#[derive(Clone, Debug)]
pub(super) struct RawField {
    pub(super) number: u32,
    pub(super) length: FieldLength,
    pub(super) value: RawValue,
}

/// Which lengths a field of bytes may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldLength {
    /// The one that it has.
    Fixed,
    /// Multiples of an id's.
    List,
    /// Any.
    Any,
}

/// What stands in a field.
#[derive(Clone, Debug)]
pub(super) enum RawValue {
    Integer(u64),
    Fixed64,
    Fixed32,
    Bytes(Vec<u8>),
    Message(Vec<RawField>),
    /// A group's start and end.
    Group,
    /// A wire type that does not exist.
    NoWireType,
}

impl RawField {
    pub(super) const fn integer(number: u32, value: u64) -> Self {
        Self { number, length: FieldLength::Any, value: RawValue::Integer(value) }
    }

    pub(super) const fn fixed64(number: u32) -> Self {
        Self { number, length: FieldLength::Any, value: RawValue::Fixed64 }
    }

    pub(super) const fn fixed32(number: u32) -> Self {
        Self { number, length: FieldLength::Any, value: RawValue::Fixed32 }
    }

    pub(super) fn bytes(number: u32, value: &[u8]) -> Self {
        Self { number, length: FieldLength::Any, value: RawValue::Bytes(value.to_vec()) }
    }

    pub(super) const fn message(number: u32, fields: Vec<Self>) -> Self {
        Self { number, length: FieldLength::Any, value: RawValue::Message(fields) }
    }

    /// With another bound on its length.
    pub(super) fn of_length(self, length: FieldLength) -> Self {
        Self { length, ..self }
    }

    /// The same value under another number.
    pub(super) fn renumbered(self, number: u32) -> Self {
        Self { number, ..self }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let key = u64::from(self.number) << 3;
        match &self.value {
            RawValue::Integer(value) => {
                varint(key, out);
                varint(*value, out);
            }
            RawValue::Fixed64 => {
                varint(key | 1, out);
                out.extend_from_slice(&[1; 8]);
            }
            RawValue::Fixed32 => {
                varint(key | 5, out);
                out.extend_from_slice(&[1; 4]);
            }
            RawValue::Bytes(bytes) => {
                varint(key | 2, out);
                varint(bytes.len() as u64, out);
                out.extend_from_slice(bytes);
            }
            RawValue::Message(fields) => {
                Self::bytes(self.number, &encode(fields)).write(out);
            }
            RawValue::Group => {
                varint(key | 3, out);
                varint(key | 4, out);
            }
            RawValue::NoWireType => varint(key | 7, out),
        }
    }
}

/// Fields one after the other, in the order given.
pub(super) fn encode(fields: &[RawField]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields {
        field.write(&mut out);
    }
    out
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}
